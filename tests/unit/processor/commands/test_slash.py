"""The commands of a project: the search for them has an end."""

import os
from pathlib import Path

import pytest

from processor.commands import slash


def names(directory: Path) -> list[str]:
    return [one.name for one in slash.commands(str(directory))]


def test_a_folder_of_commands_that_leads_out_is_not_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    (project / ".opencode" / "commands").mkdir(parents=True)
    (project / ".opencode" / "commands" / "own.md").write_text("do it")
    (project / ".opencode" / "command").symlink_to(tmp_path)
    walked: list[str] = []
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda at: (walked.append(str(at)), walk(at))[1])
    assert names(project) == ["init", "own"]
    assert walked == [str(project / ".opencode" / "commands")]


def test_a_folder_of_commands_is_walked_up_to_a_number_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".opencode" / "command"
    folder.mkdir(parents=True)
    for name in ("a.md", "b.txt", "c.md", "d.md"):
        (folder / name).write_text("do it")
    monkeypatch.setattr(slash, "_MOST_FILES", 3)
    assert names(tmp_path) == ["init", "a", "c"]
    monkeypatch.setattr(slash, "_MOST_COMMANDS", 1)
    assert names(tmp_path) == ["init", "a"]
