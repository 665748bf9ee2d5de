"""File work of clients while a folder hangs, as on a network share whose server is gone."""

import threading
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from bus.answers import CommandFailed
from bus.bodies import CreateBody
from bus.commands import Describe, Statuses
from processor import folders
from processor.folders import Folders
from processor.native.projects import Project, project_of
from processor.tools.threads import THREADS
from tests.processes import DEADLINE_S
from tests.unit.processor.rig import Rig


@pytest.fixture
def share(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A share at ``/share`` that hangs until the event is set."""
    answers = threading.Event()

    def slow(directory: str) -> Project:
        if directory.startswith("/share"):
            assert answers.wait(DEADLINE_S)
        return project_of(directory)

    monkeypatch.setattr(folders, "WITHIN_S", 0.05)
    monkeypatch.setattr(folders, "project_of", slow)
    yield answers
    answers.set()


def test_a_share_that_hangs_is_an_error_and_no_other_folder_waits(
    rig: Rig, tmp_path: Path, share: threading.Event
) -> None:
    for _ in range(2 * THREADS):  # the same work takes one thread, however often it is asked for
        with pytest.raises(CommandFailed, match="'/share' has not answered within") as failed:
            rig.sessions.create("/share", CreateBody())
        assert (failed.value.kind, failed.value.retry_after_s) == ("unavailable", 5)
    assert rig.sessions.create(str(tmp_path), CreateBody()).directory == str(tmp_path)
    share.set()
    with gevent.Timeout(DEADLINE_S):
        while rig.services.folders._running:
            gevent.sleep(0.001)
    assert rig.sessions.create("/share", CreateBody()).directory == "/share"


def test_work_that_waits_is_bounded(
    monkeypatch: pytest.MonkeyPatch, share: threading.Event
) -> None:
    monkeypatch.setattr(folders, "MOST_WAITING", 3)
    found = Folders()
    for number in range(3):
        with pytest.raises(CommandFailed, match="has not answered"):
            found.project(f"/share/{number}")
    with pytest.raises(CommandFailed, match="3 other folders and files are being read"):
        found.project("/share/3")


def test_a_project_that_is_known_needs_no_thread(tmp_path: Path, share: threading.Event) -> None:
    found = Folders()
    (tmp_path / ".git").mkdir()
    assert found.known(str(tmp_path)) is None
    assert found.worktree(str(tmp_path)) == str(tmp_path)
    for number in range(THREADS):
        assert found.worktree(f"/share/{number}") == f"/share/{number}"
    assert found.project(str(tmp_path)).is_git
    assert found.known(str(tmp_path)) == found.project(str(tmp_path))


def test_an_error_of_the_work_is_raised() -> None:
    with pytest.raises(FileNotFoundError):
        Folders().run("/nowhere", open, "/nowhere/at/all")


def test_a_command_names_the_folder_without_links(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = Folders().placed(Describe("path", str(tmp_path / "link")))
    assert isinstance(found, Describe)
    assert found.directory == str(tmp_path / "real")
    assert Folders().placed(Statuses()) == Statuses()
