"""Answers about files that a limit has cut."""

import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from bus.commands import Files
from processor.commands import files, vcs
from processor.commands.files import FileCommands
from processor.folders import Folders
from processor.tools.command import Programs
from processor.tools.process import ToolProcesses
from processor.tools.searching import Searches, SearchResults


@pytest.mark.parametrize("what", ["list", "status", "find", "find/file"])
def test_an_answer_that_a_limit_of_number_has_cut_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    for module, name in (
        (files, "_MOST_NAMES"),
        (files, "_MOST_PATHS"),
        (files, "_DEFAULT_FOUND"),
        (files, "MOST_CHANGES"),
        (vcs, "MOST_CHANGES"),
    ):
        monkeypatch.setattr(module, name, 3)
    if what == "status":
        git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a"]
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "a"], check=True)
    searches = Searches(Programs(ToolProcesses(dict(os.environ)), 4))
    commands = FileCommands(searches, Folders())
    asked = Files(what, str(tmp_path), "" if what == "list" else "x")
    for count in range(3):
        (tmp_path / f"x{count}").write_text("x")
    whole = commands(asked)
    assert (len(msgspec.json.decode(whole.json)), whole.lacks) == (3, None)
    (tmp_path / "x3").write_text("x")
    cut = commands(asked)
    assert len(msgspec.json.decode(cut.json)) == 3
    assert "3" in str(cut.lacks)


@pytest.mark.parametrize("what", ["find", "find/file"])
def test_a_search_that_has_reached_its_time_limit_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    line = {"path": "x", "line": 1, "text": "x", "offset": 0, "spans": [(0, 1)]}
    part = SearchResults([line], timed_out=True)
    for name in ("lines", "files"):
        monkeypatch.setattr(Searches, name, lambda *args, **limit: part)
    searches = Searches(Programs(ToolProcesses({}), 1))
    found = FileCommands(searches, Folders())(Files(what, str(tmp_path), "x"))
    assert len(msgspec.json.decode(found.json)) == 1
    assert found.lacks == "not all files were searched within 30 s"
