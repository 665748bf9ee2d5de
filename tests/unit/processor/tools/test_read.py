import base64
import os
import socket

import pytest

from processor.tools import read as reading
from processor.tools.tool import CallRefused, ToolFailed

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


def test_a_file_gives_numbered_lines_in_opencodes_shape(run, project, call):
    (project / "a.txt").write_text("one\ntwo\r\nthree")
    outcome = run("read", filePath="a.txt")
    real = os.path.realpath(project / "a.txt")
    assert outcome.output == (
        f"<path>{real}</path>\n<type>file</type>\n<content>\n"
        "1: one\n2: two\n3: three\n\n(End of file - total 3 lines)\n</content>"
    )
    assert outcome.title == "a.txt"
    assert outcome.metadata["display"] == {
        "type": "file",
        "path": real,
        "text": "one\ntwo\nthree",
        "lineStart": 1,
        "lineEnd": 3,
        "totalLines": 3,
        "truncated": False,
    }
    assert call.asked() == [("read", ["a.txt"])]


def test_a_window_of_a_long_file_says_how_to_go_on(run, project):
    lines = [f"line {n} " + "x" * 90 for n in range(1, 60_001)]
    (project / "a.txt").write_text("\n".join(lines) + "\n")
    for offset in (1, 2, 20_000, 59_990, 60_000):
        outcome = run("read", filePath=str(project / "a.txt"), offset=offset, limit=10)
        shown = lines[offset - 1 : offset + 9]
        assert outcome.metadata["display"]["text"].split("\n") == shown
        assert outcome.metadata["display"]["totalLines"] == 60_000
        assert outcome.metadata["truncated"] == (offset + 10 <= 60_000)
    capped = run("read", filePath="a.txt")
    assert "Output capped at 50 KB" in capped.output
    assert len(capped.output) < 60_000


@pytest.mark.parametrize("size", [1999, 2000, 2001, 3_000_000])
def test_a_long_line_is_cut(run, project, size):
    (project / "a.txt").write_text("é" * size + "\nnext\n")
    shown = run("read", filePath="a.txt").metadata["display"]["text"].split("\n")
    assert shown[0][:2000] == "é" * min(size, 2000)
    assert (len(shown[0]) > 2000) == (size > 2000)
    assert shown[1] == "next"


def test_an_empty_file_has_no_lines_and_an_offset_past_the_end_fails(run, project):
    (project / "a.txt").write_text("")
    assert "total 0 lines" in run("read", filePath="a.txt").output
    with pytest.raises(ToolFailed, match="offset: 2 is past the end"):
        run("read", filePath="a.txt", offset=2)


def test_a_folder_gives_its_entries(run, project):
    for name in ("b", "a"):
        (project / name).mkdir()
    (project / "c.txt").write_text("")
    outcome = run("read", filePath=".", limit=2)
    assert outcome.metadata["display"]["entries"] == ["a/", "b/"]
    assert "Use offset=3 to continue" in outcome.output
    assert run("read", filePath=".", offset=3).metadata["display"]["entries"] == ["c.txt"]


def test_an_image_becomes_an_attachment(run, project):
    (project / "a.bin").write_bytes(PNG)
    (attachment,) = run("read", filePath="a.bin").attachments
    assert attachment["mime"] == "image/png"
    assert base64.b64decode(attachment["url"].partition(",")[2]) == PNG


def test_devices_pipes_sockets_and_binary_and_huge_files_are_refused(run, project, monkeypatch):
    os.mkfifo(project / "fifo")
    monkeypatch.chdir(project)  # the path of a socket has 107 bytes at most
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        (project / "binary").write_bytes(b"a\0b")
        (project / "huge").write_text("x\n" * 100)
        monkeypatch.setattr(reading, "MOST_FILE_BYTES", 100)
        for name, words in {
            "fifo": "a pipe",
            "socket": "a socket",
            "binary": "a binary file",
            "huge": "at most 100",
            "/dev/zero": "a device",
            "no\0name": "cannot be used",
            "": "is empty",
        }.items():
            with pytest.raises(ToolFailed, match=words):
                run("read", filePath=name)


def test_a_missing_file_names_those_with_a_similar_name(run, project):
    (project / "README.md").write_text("")
    with pytest.raises(ToolFailed, match=r"does not exist\n\nDid you mean(.|\n)*README.md"):
        run("read", filePath="READM.md")


@pytest.mark.parametrize("path", ["../secret", "link", "link/../../secret", "{0}/secret"])
def test_a_path_that_leads_outside_needs_permission(run, project, call, tmp_path, path):
    (tmp_path / "secret").write_text("secret")
    (project / "link").symlink_to(tmp_path / "secret")
    path = path.format(tmp_path)
    if path != "link/../../secret":
        assert "1: secret" in run("read", filePath=path).output
        assert call.asked()[0] == ("external_directory", [f"{os.path.realpath(tmp_path)}/*"])
    call.denied.add("external_directory")
    with pytest.raises(CallRefused):
        run("read", filePath=path)


def test_a_link_inside_needs_no_permission(run, project, call):
    (project / "a.txt").write_text("hello")
    (project / "link").symlink_to("a.txt")
    assert "1: hello" in run("read", filePath="link").output
    assert call.asked() == [("read", ["a.txt"])]


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_a_link_that_is_made_after_the_check_leads_nowhere(run, project, call, tmp_path, swapped):
    (tmp_path / "a.txt").write_text("secret")
    (project / "sub").mkdir()
    (project / "sub" / "a.txt").write_text("harmless")

    def swap(need):
        if swapped == "file":
            (project / "sub" / "a.txt").unlink()
            (project / "sub" / "a.txt").symlink_to(tmp_path / "a.txt")
        else:
            (project / "sub").rename(project / "moved")
            (project / "sub").symlink_to(tmp_path)

    call.before_use = swap
    with pytest.raises(ToolFailed):
        run("read", filePath="sub/a.txt")
