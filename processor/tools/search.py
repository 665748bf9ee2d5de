"""Finds files by a pattern of their names, and lines by a regular expression.

Rules:

1. Links are not followed, so a search stays in its folder.
2. In a git repository, files that git ignores are left out. Elsewhere, folders with downloaded or
   generated files are left out.
3. Results are in the order of their paths.

It only imports the standard library: it runs in a process of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from fnmatch import translate
from typing import Any

from processor.tools.nofollow import open_file, open_folder

MOST_FILE_BYTES = 8 * 1024 * 1024
LINE_CHARACTERS = 2000
MOST_SPANS = 20
_SAMPLE_BYTES = 4096
_LEFT_OUT = frozenset([".git", ".hg", ".svn", ".venv", "__pycache__", "node_modules"])
_MOST_ALTERNATIVES = 1000
_BRACES = re.compile(r"\{([^{}]*)\}")

Request = dict[str, Any]
Result = dict[str, Any]


def glob(request: Request) -> Iterator[Result]:
    """Yield the files whose path matches a pattern, then whether there are more."""
    fits = matcher(request["pattern"])
    os.fchdir(open_folder(request["directory"]))
    for count, path in enumerate(filter(fits, files())):
        if count == request["limit"]:
            yield {"more": True}
            return
        yield {"path": path}


def grep(request: Request) -> Iterator[Result]:
    """Yield the lines that match a regular expression, then whether there are more."""
    try:
        pattern = re.compile(request["pattern"])
    except (re.error, RecursionError, OverflowError) as error:
        yield {"failed": f"pattern: is not a regular expression: {error}"}
        return
    directory, file = request["directory"], request.get("file")
    fits = matcher(request["include"]) if request.get("include") else lambda _: True
    os.fchdir(open_folder(directory))
    count = 0
    for path in [file] if file else filter(fits, files()):
        for result in _lines(directory, path, pattern):
            if count == request["limit"]:
                yield {"more": True}
                return
            count += 1
            yield result


def _lines(directory: str, path: str, pattern: re.Pattern[str]) -> Iterator[Result]:
    data = _read(f"{directory}/{path}")
    if data is None:
        return
    offset = 0
    for number, line in enumerate(data.split(b"\n"), 1):
        text = line.decode(errors="replace").removesuffix("\r")
        if (found := pattern.search(text)) is not None:
            spans = [found.span()]
            for further in pattern.finditer(text, found.end()):
                if len(spans) == MOST_SPANS:
                    break
                spans.append(further.span())
            shown = text[:LINE_CHARACTERS]
            yield {"path": path, "line": number, "text": shown, "offset": offset, "spans": spans}
        offset += len(line) + 1


def _read(real: str) -> bytes | None:
    """Return the content of a text file that is not too long."""
    with contextlib.suppress(OSError, ValueError), open(open_file(real), "rb") as file:
        if os.fstat(file.fileno()).st_size > MOST_FILE_BYTES:
            return None
        sample = file.read(_SAMPLE_BYTES)
        if b"\0" not in sample:
            return sample + file.read(MOST_FILE_BYTES)
    return None


def files() -> Iterator[str]:
    """Yield the files below the working folder, in the order of their paths."""
    known = _known_to_git()
    if not known:
        yield from _walked(".")
        return
    for path in known:
        if os.path.isdir(path) and not os.path.islink(path):
            # Git lists a repository inside of a repository, but not its files.
            yield from _walked(path)
        elif os.path.lexists(path):
            yield path


def _known_to_git() -> list[str]:
    """Return the files that git does not ignore; none if there is no repository."""
    # Disable settings of the repository that would run programs or write files.
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false", "ls-files"]
    command += ["--cached", "--others", "--exclude-standard", "-z"]
    try:
        found = subprocess.run(
            command,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return sorted({os.fsdecode(name).rstrip("/") for name in found.stdout.split(b"\0") if name})


def _walked(directory: str) -> Iterator[str]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        for name in sorted(names):
            yield os.path.normpath(f"{folder}/{name}")


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that returns whether a path matches a pattern.

    ``*`` and ``?`` match inside of a name, ``**`` matches any folders, ``{a,b}`` matches either. A
    pattern without a slash matches a name in any folder.
    """
    forms = [_segments(form) for form in _alternatives(pattern)]

    def fits(path: str) -> bool:
        names = path.split("/")
        return any(_fits(names, form) for form in forms)

    return fits


def _alternatives(pattern: str) -> list[str]:
    done, open_forms = list[str](), [pattern]
    while open_forms and len(done) + len(open_forms) <= _MOST_ALTERNATIVES:
        form = open_forms.pop(0)
        found = _BRACES.search(form)
        if found is None:
            done.append(form)
            continue
        start, end = found.span()
        open_forms += [form[:start] + one + form[end:] for one in found[1].split(",")]
    return done + open_forms


def _segments(form: str) -> list[Callable[[str], Any] | None]:
    """Return what each name of a path must match; None is ``**``."""
    form = form.removeprefix("./")
    if "/" not in form:
        form = f"**/{form}"
    names = [name for name in form.split("/") if name]
    return [None if name == "**" else re.compile(translate(name)).match for name in names]


def _fits(names: list[str], form: list[Callable[[str], Any] | None]) -> bool:
    # All prefixes of the pattern that match the path so far: no backtracking is needed.
    at = {0}
    for segment in form:
        if segment is None:
            at = set(range(min(at), len(names) + 1)) if at else at
        else:
            at = {n + 1 for n in at if n < len(names) and segment(names[n])}
    return len(names) in at
