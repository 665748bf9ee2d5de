from pathlib import Path

import pytest

from processor.projects import GLOBAL, project_of
from processor.store.folder import FolderInUse, FolderUnusable, claimed


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    with claimed(tmp_path / "a" / "state", "--state") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_second_claim_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with (
        claimed(tmp_path, "--state"),
        pytest.raises(FolderInUse, match=r"--state: .* in use"),
        claimed(tmp_path, "--state"),
    ):
        pass
    with claimed(tmp_path, "--state"):
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(FolderUnusable, match="--state"),
        claimed(tmp_path / "file" / "x", "--state"),
    ):
        pass


def test_a_project_is_the_work_tree_around_a_directory(tmp_path: Path) -> None:
    inner = tmp_path / "tree" / "src"
    inner.mkdir(parents=True)
    (tmp_path / "tree" / ".git").mkdir()
    project = project_of(str(inner))
    assert project.worktree == str(tmp_path / "tree")
    assert project.id == project_of(project.worktree).id != GLOBAL
    assert project_of("/nowhere/at/all").id == GLOBAL
    assert project_of("/" + "x" * 300).id == GLOBAL
