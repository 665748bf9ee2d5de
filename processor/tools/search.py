"""Finds files by a pattern of their path, and lines by a regular expression.

Rules:

1. Symbolic links are not followed, so a search stays in its folder.
2. In a git repository, files that git ignores are left out. Elsewhere, folders with downloaded or
   generated files are left out (`_LEFT_OUT`).
3. Results are in the order of their paths.

This module only imports the standard library, since it runs in `processor.tools.worker`: a program
that must start quickly.
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
    """Yield the files whose path matches a pattern, up to a limit.

    If there are more, the last result is ``{"more": True}``.
    """
    fits = matcher(request["pattern"])
    os.fchdir(open_folder(request["directory"]))
    for count, path in enumerate(filter(fits, files())):
        if count == request["limit"]:
            yield {"more": True}
            return
        yield {"path": path}


def grep(request: Request) -> Iterator[Result]:
    """Yield the lines that match a regular expression, up to a limit.

    If there are more, the last result is ``{"more": True}``. A wrong expression yields only
    ``{"failed": why}``.
    """
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
    """Return the content of a file; None if it is binary, too long, or cannot be read."""
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
            # For a repository inside of a repository, git lists the folder, but not its files.
            yield from _walked(path)
        elif os.path.lexists(path):
            yield path


def _known_to_git() -> list[str]:
    """Return the files that git does not ignore; an empty list outside of a git repository."""
    # Disable settings with which the repository could make git run programs or write files.
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
    """Return a function that checks whether a path matches a pattern.

    ``*`` and ``?`` match characters except a slash, ``**`` matches any number of folders, and
    ``{a,b}`` matches ``a`` or ``b``. A pattern without a slash matches a name in any folder.
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
    """Split a pattern at slashes: return a matching function for each name, None for ``**``."""
    form = form.removeprefix("./")
    if "/" not in form:
        form = f"**/{form}"
    names = [name for name in form.split("/") if name]
    return [None if name == "**" else re.compile(translate(name)).match for name in names]


def _fits(names: list[str], form: list[Callable[[str], Any] | None]) -> bool:
    # All counts of names that the pattern so far can match. Because all are kept, no backtracking
    # is needed, which could take exponential time.
    at = {0}
    for segment in form:
        if segment is None:
            at = set(range(min(at), len(names) + 1)) if at else at
        else:
            at = {n + 1 for n in at if n < len(names) and segment(names[n])}
    return len(names) in at
