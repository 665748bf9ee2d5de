"""Files at the door: what may be read, what is an image, and what is refused by name."""

import base64
import contextlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.answers import CommandFailed
from bus.bodies import FileInput, TextInput
from processor.commands.attachments import MAX_IMAGE_BYTES, MAX_TEXT_BYTES, admitted
from processor.folders import Folders

FOLDERS = Folders()
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\xff\xfe>?" * 3
JPEG, GIF, WEBP = b"\xff\xd8\xff\xe0", b"GIF89a\x01", b"RIFF\x01\x02\n\x04WEBPVP8 "


def url_of(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def image(url: str, mime: str = "image/png") -> FileInput:
    [part] = admitted([FileInput(mime=mime, url=url)], "/nowhere", FOLDERS)
    assert isinstance(part, FileInput)
    return part


def refusal(part: FileInput, directory: Path | str = "/nowhere") -> str:
    with pytest.raises(CommandFailed) as refused:
        admitted([TextInput(text="look"), part], str(directory), FOLDERS)
    assert refused.value.kind == "invalid"
    assert refused.value.message.startswith("parts[1].url: ")
    return refused.value.message


@pytest.mark.parametrize(
    ("data", "kind"),
    [(PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp")],
)
@pytest.mark.parametrize("mime", ["image/png", "IMAGE/JPG", "image/*"])
def test_an_image_is_what_its_bytes_say(data: bytes, kind: str, mime: str) -> None:
    part = image(url_of(data, mime), mime)
    assert (part.mime, part.url) == (kind, url_of(data, kind))


@pytest.mark.parametrize(
    "spelt",
    [
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: text.replace("+", "%2B").replace("/", "%2f").replace("=", "%3D"),
        lambda text: "\n ".join(text[i : i + 4] for i in range(0, len(text), 4)),
    ],
)
def test_base64_in_another_spelling_is_put_right(spelt) -> None:  # type: ignore[no-untyped-def]
    head, _, body = url_of(PNG).partition(",")
    assert image(f"{head},{spelt(body)}").url == url_of(PNG)


def test_an_image_that_is_percent_encoded_is_taken() -> None:
    assert image("data:image/gif,GIF89a%01", "image/gif").url == url_of(GIF, "image/gif")


def test_an_image_elsewhere_is_left_to_the_provider() -> None:
    assert image("https://example.com/a.png").url == "https://example.com/a.png"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "URL"),
        ("a.png", "URL"),
        ("blob:x", "blob URL"),
        ("https://", "URL"),
        ("http://[", "URL"),
        ("data:image/png;base64", "comma"),
        ("data:image/png;base64,", "not an image"),
        ("data:image/png;base64,A", "base64"),
        ("data:image/png;base64,%%%%", "base64"),
        ("data:image/png;base64,ü", "base64"),
        (url_of(b"<svg/>"), "not an image"),
        (url_of(b"BM6"), "not an image"),
        (url_of(PNG + bytes(MAX_IMAGE_BYTES)), "bytes"),
    ],
)
def test_a_bad_image_is_refused_with_what_is_allowed(url: str, words: str) -> None:
    said = refusal(FileInput(mime="image/png", url=url))
    assert words in said
    assert "http://[" in url or ("image/webp" in said and "20 MiB" in said)


@given(st.text(), st.sampled_from(["image/png", "text/plain", "", "image/"]))
def test_no_url_does_more_than_be_refused(url: str, mime: str) -> None:
    for prefix in ("", "data:", "data:image/png;base64,", "file://", "file:///"):
        with contextlib.suppress(CommandFailed):
            admitted([FileInput(mime=mime, url=prefix + url)], "/nowhere", FOLDERS)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a b.txt").write_text("grün")
    (folder / "a.png").write_bytes(PNG)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "project-2").mkdir()
    (tmp_path / "project-2" / "x.txt").write_text("secret")
    return folder


def read(project: Path, path: str, mime: str = "text/plain") -> FileInput:
    [part] = admitted([FileInput(mime=mime, url=f"file://{path}")], str(project), FOLDERS)
    assert isinstance(part, FileInput)
    return part


def test_a_file_of_the_directory_is_read_when_the_prompt_comes(project: Path) -> None:
    part = read(project, f"{project}/a%20b.txt?start=1#L1")
    assert part.url == url_of("grün".encode(), "text/plain")
    assert part.filename == "a b.txt"
    assert read(project, f"{project}/a.png", "image/jpeg").url == url_of(PNG)
    assert read(project, f"localhost{project}/x/../a.png", "image/png").mime == "image/png"


def test_links_are_resolved_on_both_sides(project: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(project)
    assert "data:" in read(tmp_path / "link", f"{project}/a%20b.txt").url
    assert "data:" in read(project, f"{tmp_path}/link/a%20b.txt").url


@pytest.mark.parametrize(
    "name",
    ["../secret.txt", "..%2Fsecret.txt", "out.txt", "away/secret.txt", "../project-2/x.txt"],
)
def test_a_file_outside_is_refused_before_it_is_looked_at(project: Path, name: str) -> None:
    (project / "out.txt").symlink_to(project.parent / "secret.txt")
    (project / "away").symlink_to(project.parent)
    said = refusal(FileInput(mime="text/plain", url=f"file://{project}/{name}"), project)
    assert "outside of the session's directory" in said
    nothing = refusal(FileInput(mime="text/plain", url=f"file://{project}/../none"), project)
    assert "outside of the session's directory" in nothing


@pytest.mark.parametrize("mime", ["text/plain", "image/png", "application/pdf"])
@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "file:///proc/self/environ", "FILE:///etc/x"]
)
def test_no_mime_opens_the_rest_of_the_machine(project: Path, url: str, mime: str) -> None:
    assert "outside" in refusal(FileInput(mime=mime, url=url), project)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file://elsewhere/x", "host"),
        ("file:x", "absolute"),
        ("file://", "absolute"),
        ("file:///%00", "cannot be read"),
    ],
)
def test_what_is_no_file_url_is_refused(project: Path, url: str, words: str) -> None:
    assert words in refusal(FileInput(mime="text/plain", url=url), project)


def test_what_cannot_be_read_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(project / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(project)  # the name of a socket must be short
        listening.bind("socket")
    (project / "large.txt").write_bytes(bytes(MAX_TEXT_BYTES + 1))
    for name, words in {
        "none": "No such file",
        "pipe": "not a regular file",
        "socket": "cannot be read",
        "large.txt": f"more than {MAX_TEXT_BYTES} bytes",
    }.items():
        said = refusal(FileInput(mime="text/plain", url=f"file://{project}/{name}"), project)
        assert words in said


def test_a_folder_and_what_no_model_reads_is_kept_as_it_is(project: Path) -> None:
    (project / "src").mkdir()
    assert read(project, f"{project}/src").url == f"file://{project}/src"
    pdf = read(project, f"{project}/a.png", "application/pdf")
    assert pdf.url == f"file://{project}/a.png"


def test_a_file_is_read_in_the_threads_of_the_caller(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[object] = []
    run = FOLDERS.run
    monkeypatch.setattr(FOLDERS, "run", lambda job, *args: (ran.append(job), run(job, *args))[1])
    (project / "b.txt").write_text("hello")
    assert read(project, str(project / "b.txt")).url == "data:text/plain;base64,aGVsbG8="
    assert len(ran) == 1
