"""The folders and sessions that a reader may see, according to its access rights."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

from msgspec import Struct


class Scope(Struct, frozen=True, cache_hash=True):
    """The folders and sessions that a reader may see.

    Attributes:
        directories: globs. ``*`` matches any part of a name, ``**`` any number of folders:
            ``/srv/**`` matches ``/srv`` and everything below.
        sessions: ids of sessions that the reader may see in any folder.
    """

    directories: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        """A checksum of the scope, which event ids contain; the same on every worker."""
        return _tag(self)

    def has(self, directory: str | None, session: str | None) -> bool:
        """Return whether a reader may see data of a session (None: no session) in a folder."""
        return (session is not None and session in self.sessions) or self.has_folder(directory)

    def has_folder(self, directory: str | None) -> bool:
        """Return whether a reader may see all data of a folder."""
        return directory is not None and _matches(self.directories, directory)


def is_glob(text: str) -> bool:
    """Return whether a text is an absolute path without ``..``, possibly with ``*``."""
    parts = text.split("/")[1:]
    return text.startswith("/") and text.isprintable() and not {".", ".."} & {*parts}


@lru_cache(1024)
def _tag(scope: Scope) -> str:
    parts = scope.directories, scope.sessions
    return f"{zlib.crc32(repr(parts).encode()):08x}"


@lru_cache(4096)
def _matches(globs: tuple[str, ...], directory: str) -> bool:
    return any(_pattern(glob).fullmatch(directory) for glob in globs)


@lru_cache(1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """Return a pattern that takes linear time for each wildcard.

    A wildcard before another one takes as little as it can, once and for all (an atomic group):
    the later one can take the rest.
    """
    runs: list[list[str]] = [[]]
    for part in filter(None, glob.split("/")):
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(_part(part))
    first, *more = ["".join(run) for run in runs]
    early = "".join(f"(?>(?:/[^/]++)*?{run})" for run in more[:-1])
    last = f"(?:/[^/]++)*{more[-1]}" if more else ""
    return re.compile(f"{first}{early}{last}/?", re.DOTALL)


def _part(part: str) -> str:
    """Return the pattern of a name, up to its end."""
    first, *more = map(re.escape, part.split("*"))
    early = "".join(f"(?>[^/]*?{one})" for one in more[:-1])
    last = f"[^/]*{more[-1]}" if more else ""
    return f"/{first}{early}{last}(?![^/])"
