from pathlib import Path

from processor.native.projects import GLOBAL, project_of


def test_a_project_is_the_work_tree_around_a_directory(tmp_path: Path) -> None:
    inner = tmp_path / "tree" / "src"
    inner.mkdir(parents=True)
    (tmp_path / "tree" / ".git").mkdir()
    project = project_of(str(inner))
    assert project.worktree == str(tmp_path / "tree")
    assert project.id == project_of(project.worktree).id != GLOBAL
    assert project_of("/nowhere/at/all").id == GLOBAL
    assert project_of("/" + "x" * 300).id == GLOBAL
