import os
import shutil
import stat
import subprocess

import gevent
import pytest
from gevent.event import Event

from processor.tools import content, patch
from processor.tools.tool import CallRefused, ToolFailed
from tests.processes import DEADLINE_S
from tests.unit.processor.tools.conftest import FakeCall


def test_an_edit_has_a_diff_in_opencodes_shape(run, project, call):
    file = project / "a.txt"
    file.write_text("".join(f"{n}\n" for n in range(20)))
    outcome = run("edit", filePath=str(file), oldString="9\n10\n", newString="nine\n10\nand\n")
    real = os.path.realpath(file)
    diff = outcome.metadata["diff"]
    assert diff.splitlines()[:5] == [
        f"Index: {real}",
        "=" * 67,
        f"--- {real}",
        f"+++ {real}",
        "@@ -6,10 +6,11 @@",
    ]
    assert outcome.metadata["filediff"] == {
        "file": real,
        "patch": diff,
        "additions": 2,
        "deletions": 1,
    }
    assert file.read_text().splitlines()[9:12] == ["nine", "10", "and"]
    assert outcome.title == "a.txt"
    assert call.asked() == [("edit", ["a.txt"])]
    assert call.needs[0].metadata["diff"] == diff


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        ("a\r\nb\r\nc", "a\nb", "x\ny", "x\r\ny\r\nc"),
        ("\ufeffa\nb", "a", "x", "\ufeffx\nb"),
        ("  a\n    b\n", "a\n  b\n", "x\n", "x\n"),
        ("a  \nb\n", "a\nb", "x", "x\n"),
        ("a\n  b  \nc", "b", "x", "a\n  x  \nc"),
        ("no end", "end", "end\n", "no end\n"),
    ],
)
def test_line_ends_marks_and_blanks_are_as_in_the_file(run, project, before, old, new, after):
    (project / "a.txt").write_bytes(before.encode())
    run("edit", filePath="a.txt", oldString=old, newString=new)
    assert (project / "a.txt").read_bytes() == after.encode()


def test_bytes_that_are_no_utf_8_outlast_an_edit(run, project):
    (project / "a.txt").write_bytes(b"caf\xe9\nb\n")
    outcome = run("edit", filePath="a.txt", oldString="b", newString="c")
    assert (project / "a.txt").read_bytes() == b"caf\xe9\nc\n"
    assert outcome.metadata["diff"].encode()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("a", "a", "newString: is the same"),
        ("zzz", "x", "oldString: is not in the file"),
        ("b", "x", "oldString: is in the file 2 times"),
        ("", "x", "oldString: is empty"),
    ],
)
def test_what_cannot_be_replaced_is_said(run, project, old, new, words):
    (project / "a.txt").write_text("a\nb\nb\n")
    with pytest.raises(ToolFailed, match=words):
        run("edit", filePath="a.txt", oldString=old, newString=new)
    assert (project / "a.txt").read_text() == "a\nb\nb\n"


def test_all_places_are_replaced_if_that_is_wanted(run, project):
    (project / "a.txt").write_text("b a b\nb\n")
    run("edit", filePath="a.txt", oldString="b", newString="c", replaceAll=True)
    assert (project / "a.txt").read_text() == "c a c\nc\n"


def test_a_file_is_written_with_its_folders_and_keeps_its_mode(run, project, call):
    outcome = run("write", filePath="new/deep/a.sh", content="one\n")
    file = project / "new" / "deep" / "a.sh"
    assert file.read_text() == "one\n"
    assert outcome.metadata == {
        "diagnostics": {},
        "filepath": os.path.realpath(file),
        "exists": False,
        "truncated": False,
        "filediff": {
            "file": os.path.realpath(file),
            "patch": outcome.metadata["filediff"]["patch"],
            "additions": 1,
            "deletions": 0,
        },
    }
    assert outcome.metadata["filediff"]["patch"].endswith("@@ -0,0 +1,1 @@\n+one\n")
    file.chmod(0o754)
    assert run("write", filePath=str(file), content="two\n").metadata["exists"]
    assert file.read_text() == "two\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o754
    assert os.listdir(file.parent) == ["a.sh"]
    assert call.asked() == [("edit", ["new/deep/a.sh"])] * 2


def test_a_file_with_two_names_keeps_both(run, project):
    (project / "a").write_text("one")
    os.link(project / "a", project / "b")
    run("write", filePath="a", content="2")
    assert (project / "b").read_text() == "2"


@pytest.mark.parametrize("tool", ["edit", "write"])
def test_folders_pipes_and_binary_and_huge_files_are_refused(run, project, monkeypatch, tool):
    monkeypatch.setattr(content, "MOST_BYTES", 100)
    (project / "folder").mkdir()
    (project / "binary").write_bytes(b"a\0b")
    (project / "huge").write_text("a" * 200)
    os.mkfifo(project / "fifo")
    arguments = {"oldString": "a", "newString": "b"} if tool == "edit" else {"content": "b"}
    for name, words in [
        ("folder", "a folder"),
        ("binary", "binary"),
        ("huge", "more than 100"),
        ("fifo", "a pipe"),
    ]:
        with pytest.raises(ToolFailed, match=words):
            run(tool, filePath=name, **arguments)


@pytest.mark.parametrize("path", ["../a.txt", "link", "{0}/a.txt", "linked/a.txt", "linked/new/b"])
def test_a_change_outside_needs_permission(run, project, call, tmp_path, path):
    (tmp_path / "a.txt").write_text("a")
    (project / "link").symlink_to(tmp_path / "a.txt")
    (project / "linked").symlink_to(tmp_path)
    call.denied.add("external_directory")
    with pytest.raises(CallRefused):
        run("write", filePath=path.format(tmp_path), content="b")
    assert (tmp_path / "a.txt").read_text() == "a"
    assert not (tmp_path / "new").exists()


def test_a_link_to_nowhere_outside_makes_no_file_there(run, project, call, tmp_path):
    (project / "link").symlink_to(tmp_path / "new.txt")
    call.denied.add("external_directory")
    with pytest.raises(CallRefused):
        run("write", filePath="link", content="b")
    assert not (tmp_path / "new.txt").exists()


@pytest.mark.parametrize("swapped", ["file", "folder", "content"])
def test_what_changes_while_a_person_is_asked_is_not_overwritten(
    run, project, call, tmp_path, swapped
):
    (tmp_path / "a.txt").write_text("secret")
    (project / "sub").mkdir()
    file = project / "sub" / "a.txt"
    file.write_text("a")

    def swap(need):
        if swapped == "file":
            file.unlink()
            file.symlink_to(tmp_path / "a.txt")
        elif swapped == "folder":
            (project / "sub").rename(project / "moved")
            (project / "sub").symlink_to(tmp_path)
        else:
            file.write_text("changed")

    call.before_use = swap
    with pytest.raises(ToolFailed):
        run("write", filePath="sub/a.txt", content="b")
    assert (tmp_path / "a.txt").read_text() == "secret"
    assert "b" not in [found.read_text() for found in project.rglob("a.txt")]


def test_two_edits_of_one_file_at_once_are_both_made(run, project, call):
    (project / "a.txt").write_text("one two")
    call.before_use = lambda need: gevent.sleep(0.05)
    edits = [("one", "1"), ("two", "2")]
    calls = [
        gevent.spawn(run, "edit", filePath="a.txt", oldString=old, newString=new)
        for old, new in edits
    ]
    gevent.joinall(calls, raise_error=True)
    assert (project / "a.txt").read_text() == "1 2"


def test_the_time_in_which_an_edit_waits_for_another_edit_does_not_count(tools, project):
    (project / "a.txt").write_text("one two")
    first, second = FakeCall(project), FakeCall(project)
    is_asked, answered = Event(), Event()

    def ask(need):
        is_asked.set()
        answered.wait()

    first.before_use = ask
    edits = [(first, "one", "1"), (second, "two", "2")]
    running = []
    for call, old, new in edits:
        arguments = {"filePath": "a.txt", "oldString": old, "newString": new}
        running.append(gevent.spawn(tools["edit"].run, arguments, call))
        assert is_asked.wait(DEADLINE_S)
    with gevent.Timeout(DEADLINE_S):
        while not second.is_waiting:
            gevent.sleep(0.001)
    answered.set()
    gevent.joinall(running, raise_error=True)
    assert not second.is_waiting
    assert (project / "a.txt").read_text() == "1 2"


def test_a_long_text_that_changes_at_both_ends_is_compared_in_bounded_time_and_space():
    old = "a\n" + "".join(f"{n}\n" for n in range(100_000)) + "b\n"
    new = "x\n" + "".join(f"{-n}\n" for n in range(100_000)) + "y\n"
    made = patch.patch("/a", old, new)
    assert (made.additions, made.deletions) == (100_002, 100_002)
    assert len(made.text) <= patch.MOST_BYTES


def test_a_diff_that_is_cut_is_whole_in_the_spool(run, project, call, spool):
    content = "".join(f"line {n}\n" for n in range(100_000))
    written = run("write", filePath="a.txt", content=content).metadata
    changed = "\n".join(f"{n} {'x' * 100}" for n in range(20))
    (project / "b.txt").write_text("\n".join(["old", *["same"] * 20] * 4000))
    edited = run("edit", filePath="b.txt", oldString="old", newString=changed, replaceAll=True)
    for metadata, last in ((written, "+line 99999"), (edited.metadata, "+19 " + "x" * 100)):
        cut = metadata["filediff"]["patch"]
        with open(spool.open(call.session, metadata["diffID"])) as file:
            whole = file.read()
        assert len(cut) <= patch.MOST_BYTES < len(whole)
        assert whole.startswith(cut)
        assert last in whole
    small = run("write", filePath="c.txt", content="c").metadata
    assert "diffURL" not in small


@pytest.mark.skipif(shutil.which("patch") is None, reason="needs patch")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "a\nb\n"),
        ("a\nb", ""),
        ("a\nb", "a\nb\n"),
        ("a\n" * 30, "a\n" * 10 + "b\n" + "a\n" * 20),
    ],
)
def test_the_program_patch_applies_a_patch(tmp_path, old, new):
    (tmp_path / "a").write_text(old)
    made = patch.patch("a", old, new)
    subprocess.run(
        ["patch", "-p0", "--quiet", "a"], input=made.text, text=True, cwd=tmp_path, check=True
    )
    found = tmp_path / "a"
    assert (found.read_text() if found.exists() else "") == new
