"""`weir files` gives an installed user what a checkout has in `deploy/`."""

import io
import shlex
from pathlib import Path

import pytest

from bus.process.flags import BadFlag
from bus.process.version import installed_version
from deploy import files
from deploy.files import FilesOptions, Installation, read, run, texts
from tests.processes import ROOT
from tests.unit.deploy.container import service

NAMES = ["compose.yaml", "nginx.conf", "weir.service"]
RELEASE = Installation("1.2.3", Path("/opt/a b/bin/weir"))


def run_in(folder, force=False):
    out = io.StringIO()
    assert run(FilesOptions(folder, force), out) == 0
    return out.getvalue()


def test_without_a_folder_they_are_listed():
    listed = run_in(None)
    assert all(name in listed for name in NAMES)


def test_they_are_written_into_a_folder_that_is_made(tmp_path):
    folder = tmp_path / "a b" / "ü"
    written = run_in(folder).splitlines()
    assert sorted(written) == [str(folder / name) for name in NAMES]
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    assert (folder / "nginx.conf").read_text() == (ROOT / "deploy" / "nginx.conf").read_text()
    assert run_in(folder).splitlines() == written


def test_a_file_that_differs_stays_and_none_is_written(tmp_path):
    mine = tmp_path / "nginx.conf"
    mine.write_text("mine")
    with pytest.raises(BadFlag, match=r"nginx\.conf' exists with another content; --force"):
        run_in(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
    assert mine.read_text() == "mine"
    run_in(tmp_path, force=True)
    assert mine.read_text() != "mine"


@pytest.mark.parametrize("place", ["file", "file/below", "folder"])
def test_a_place_that_cannot_be_used_is_named(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "weir.service").mkdir(parents=True)
    with pytest.raises(BadFlag, match=f"{tmp_path}/{place}.*cannot be written: "):
        run_in(tmp_path / place)


def test_the_unit_runs_the_weir_that_is_installed():
    unit = texts(RELEASE)["weir.service"]
    [line] = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    assert shlex.split(line.removeprefix("ExecStart="))[:2] == ["/opt/a b/bin/weir", "up"]


def test_a_release_builds_its_image_from_the_wheel_of_its_version():
    found = texts(RELEASE)
    build = service(found["compose.yaml"])["build"]
    assert build["context"] == "."
    assert build["args"] == {"WEIR": "weir-events==1.2.3"}
    # What else lies in the folder is not docker's to read.
    assert found[".dockerignore"].splitlines() == ["*", "!*.whl"]


def test_a_checkout_builds_its_image_from_its_sources(tmp_path):
    checkout = tmp_path / 'a $HOME "b" #ü: '
    found = texts(Installation("1.2.3", None, checkout))
    build = service(found["compose.yaml"])["build"]
    assert (build["context"], build["args"]) == (str(checkout), {"WEIR": "."})
    assert ".dockerignore" not in found


def test_this_checkout_is_known():
    known = files._installed()
    assert known.version == installed_version()
    assert known.checkout == ROOT


@pytest.mark.parametrize("open_to_all", [True, False])
def test_a_weir_that_the_user_of_the_service_cannot_reach_is_pointed_out(
    tmp_path, monkeypatch, capsys, open_to_all
):
    command = tmp_path / "home" / "weir"
    command.parent.mkdir()
    command.touch()
    # The folders of a test are for its user alone, so the user's own bit stands for all others.
    monkeypatch.setattr(files, "_OTHERS_ENTER", 0o100)
    command.parent.chmod(0o755 if open_to_all else 0o600)
    monkeypatch.setattr(files, "_installed", lambda: Installation("1.0", command))
    run_in(tmp_path / "to")
    assert ("cannot reach" in capsys.readouterr().err) is not open_to_all


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--bogus"], "--bogus: unknown; allowed is --force"),
        (["a", "b"], "'b' is not allowed; allowed is one folder"),
        ([""], "'' is not allowed"),
    ],
)
def test_a_word_that_is_not_allowed_is_named(words, said):
    with pytest.raises(BadFlag, match=said):
        read(words)


def test_the_folder_may_stand_before_or_after_the_flag():
    assert read(["a b", "--force"]) == read(["--force", "a b"]) == FilesOptions(Path("a b"), True)
    assert read([]) == FilesOptions()
