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
    parts = [part for part in glob.split("/") if part]
    return re.compile("".join(map(_part, parts)) + "/?", re.DOTALL)


def _part(part: str) -> str:
    if part == "**":
        return "(?:/[^/]+)*"
    return "/" + "[^/]*".join(map(re.escape, part.split("*")))
