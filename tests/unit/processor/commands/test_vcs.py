"""What git finds changed, by real repositories."""

import shutil
import subprocess
from pathlib import Path

import pytest

from processor.commands.vcs import changes
from processor.native.projects import project_of

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_no_program_runs_that_the_settings_of_a_repository_name(tmp_path: Path) -> None:
    """The settings and the attributes come with a folder that somebody else has made."""
    made = tmp_path / "made"
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("one\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    for name in ("filter.odd=name.clean", "filter.odd=name.process", "core.fsmonitor"):
        git(folder, "config", name, f"touch '{made}'; cat")
    git(folder, "config", "filter.odd=name.required", "true")
    (folder / ".gitattributes").write_text("*.txt filter=odd=name\n")
    (folder / "a.txt").write_text("one\ntwo\n")
    (folder / "b.txt").write_text("new\n")
    found = {
        one["path"]: (one["status"], one["added"])
        for one in changes(str(folder), project_of(str(folder)))
    }
    assert found == {
        "a.txt": ("modified", 1),
        "b.txt": ("added", 0),
        ".gitattributes": ("added", 0),
    }
    assert not made.exists()
