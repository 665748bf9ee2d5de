import shutil
import subprocess

import gevent
import pytest

from processor.tools import searching
from processor.tools.search import matcher
from processor.tools.tool import CallRefused, ToolFailed


@pytest.fixture
def tree(project):
    for path in ("a.py", "src/b.py", "src/deep/c.ts", "src/deep/d.tsx", "node_modules/x/e.py"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(f"first line\nfind {path} here\n")
    (project / "binary.py").write_bytes(b"find\0")
    return project


def names(outcome, project):
    root = f"{project.resolve()}/"
    return [line.removeprefix(root) for line in outcome.output.splitlines()]


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("*.py", ["a.py", "binary.py", "src/b.py"]),
        ("**/*.{ts,tsx}", ["src/deep/c.ts", "src/deep/d.tsx"]),
        ("src/*", ["src/b.py"]),
        ("src/**", ["src/b.py", "src/deep/c.ts", "src/deep/d.tsx"]),
        ("nothing", ["No files found"]),
    ],
)
def test_glob_finds_files(run, tree, pattern, paths):
    outcome = run("glob", pattern=pattern)
    assert sorted(names(outcome, tree)) == sorted(paths)
    count = 0 if paths == ["No files found"] else len(paths)
    assert outcome.metadata == {"count": count, "truncated": False}


def test_glob_finds_a_hundred_at_most(run, project):
    for n in range(101):
        (project / f"{n}.txt").write_text("")
    outcome = run("glob", pattern="*.txt")
    assert outcome.metadata == {"count": 100, "truncated": True}
    assert "Results are truncated" in outcome.output


def test_grep_finds_lines(run, tree, call):
    outcome = run("grep", pattern=r"find \S+ here", include="*.{py,ts}")
    root = tree.resolve()
    assert outcome.output.splitlines() == [
        "Found 3 matches",
        f"{root}/a.py:",
        "  Line 2: find a.py here",
        "",
        f"{root}/src/b.py:",
        "  Line 2: find src/b.py here",
        "",
        f"{root}/src/deep/c.ts:",
        "  Line 2: find src/deep/c.ts here",
    ]
    assert outcome.metadata == {"matches": 3, "truncated": False}
    assert outcome.title == r"find \S+ here"
    assert call.asked() == [("grep", [r"find \S+ here"])]
    assert run("grep", pattern="find", path="src/b.py").metadata["matches"] == 1
    assert call.asked()[1:] == [("grep", ["find"]), ("read", ["src/b.py"])]


def test_grep_shows_no_line_of_a_file_that_may_not_be_read(run, tree, call):
    call.hidden = {"src/b.py"}
    outcome = run("grep", pattern="find", path="src", include="*.{py,ts}")
    root = tree.resolve()
    assert outcome.output.splitlines() == [
        "Found 1 matches",
        f"{root}/src/deep/c.ts:",
        "  Line 2: find src/deep/c.ts here",
        "",
        "These files match too, but need a permission: read them.",
        f"{root}/src/b.py",
    ]
    assert outcome.metadata["matches"] == 1
    call.denied = {"read"}
    with pytest.raises(CallRefused):
        run("grep", pattern="find", path="src/b.py")


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_what_git_ignores_is_left_out(run, tree):
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    (tree / ".gitignore").write_text("src/deep\n")
    assert names(run("glob", pattern="**/*.{py,ts}"), tree) == [
        "a.py",
        "binary.py",
        "node_modules/x/e.py",
        "src/b.py",
    ]
    assert names(run("glob", pattern="**", path="src"), tree) == ["src/b.py"]


def test_an_expression_that_takes_for_ever_is_ended_and_keeps_no_loop(run, tree, monkeypatch):
    (tree / "a.py").write_text("find\n" + "a" * 50)
    turns = []

    def count():
        while True:
            turns.append(None)
            gevent.sleep(0.01)

    counting = gevent.spawn(count)
    # On a busy machine the search may not have begun within the shorter ones.
    for most_s in (1, 10, 60):
        monkeypatch.setattr(searching, "SEARCH_S", most_s)
        outcome = run("grep", pattern="find|(a+)+b", path="a.py")
        assert f"The search was ended after {most_s} s" in outcome.output
        if outcome.metadata["matches"]:
            break
    counting.kill()
    assert outcome.metadata == {"matches": 1, "truncated": True}
    assert len(turns) > 10


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("grep", {"pattern": "("}, "pattern: is not a regular expression"),
        ("grep", {"pattern": ""}, "pattern: is empty"),
        ("grep", {"pattern": "a", "path": "nowhere"}, "does not exist"),
        ("glob", {"pattern": "*", "path": "a.py"}, "is not a folder"),
        ("glob", {"pattern": ""}, "pattern: is empty"),
    ],
)
def test_bad_arguments_are_named(run, tree, tool, arguments, words):
    with pytest.raises(ToolFailed, match=words):
        run(tool, **arguments)


@pytest.mark.parametrize("tool", ["glob", "grep"])
@pytest.mark.parametrize("path", ["..", "link"])
def test_a_search_outside_needs_permission(run, tree, call, tmp_path, tool, path):
    (tree / "link").symlink_to(tmp_path)
    call.denied.add("external_directory")
    with pytest.raises(CallRefused):
        run(tool, pattern="x", path=path)


def test_a_search_does_not_follow_links(run, tree, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("find the secret")
    (tree / "folder").symlink_to(tmp_path / "outside")
    (tree / "file.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    assert "secret" not in run("glob", pattern="**").output
    assert "secret" not in run("grep", pattern="find").output


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("*.py", "a/b.py", True),
        ("a/*.py", "a/b/c.py", False),
        ("a/**/c.py", "a/c.py", True),
        ("**/a/**/b", "x/a/y/z/b", True),
        ("./a.py", "a.py", True),
        ("[ab].py", "c.py", False),
        ("{a,b{c,d}}.py", "bd.py", True),
        ("a?.py", "a/.py", False),
        ("*a" * 20 + "b", "a" * 200, False),
        ("**/" * 50 + "b", "/".join("a" * 200), False),
        ("{a,b}" * 30, "x", False),
    ],
)
def test_a_pattern_of_paths(pattern, path, fits):
    assert matcher(pattern)(path) is fits
