"""The spool: whole outputs of tools on disk, of which a part only holds beginning and end.

Rules:

1. Each session has one folder, and each output one file, named by its id (``tool_…``). Ids sort by
   age.
2. The files of all sessions have a quota. Beyond it the oldest are removed, whatever their
   session, when a file is begun and when it is whole. Only bytes on disk count: most commands
   write no file. So files that grow at the same time can exceed the quota until they are whole.
3. When a session is deleted, so is its folder.
4. Ids are checked before reading: an id that is not in the spool's form names no file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from bus import json
from processor.tools import clip
from processor.tools.nofollow import open_file
from processor.tools.threads import Threads

log = logging.getLogger("weir.processor")

FOLDER = "spool"
MOST_FILE_BYTES = 512 * 1024 * 1024
_PIECE = 1024 * 1024
_LEAST_SHARE = 64
"""Each file may have at least this fraction of the quota, however many are written at once."""
_ID = re.compile(r"tool_[0-9a-f]{16}_[0-9a-f]{12}")
_SESSION = re.compile(r"[A-Za-z0-9_-]{1,200}")


class SpoolFile(Struct, frozen=True):
    """A file that is being written.

    Attributes:
        id: of the output.
        path: of the file, which does not exist yet.
        url: of the file at the gateway.
        most: the limit of the file in bytes.
    """

    id: str
    path: str
    url: str
    most: int

    @property
    def pointer(self) -> dict[str, Any]:
        """The metadata of a part that lead to the file."""
        return {"outputPath": self.path, "outputID": self.id, "outputURL": self.url}


class Spool:
    """The files below one folder.

    Args:
        state: the folder of the processor's state.
        quota: bytes of all files.
        threads: run the work on files.
    """

    def __init__(self, state: Path, quota: int, threads: Threads) -> None:
        self._root = Path(os.path.realpath(state)) / FOLDER
        self._quota = quota
        self._threads = threads
        self._written: dict[str, int] = {}
        """The files that may be being written, with the limit of each in bytes."""

    @contextlib.contextmanager
    def file(self, session: str) -> Iterator[SpoolFile]:
        """Name a file, which the block may write.

        Files that are written at the same time share the quota: the more there are, the smaller
        each may be.

        Raises:
            OSError: the folder cannot be created.
        """
        made = f"tool_{time.time_ns():016x}_{secrets.token_hex(6)}"
        half = (self._quota - sum(self._written.values())) // 2
        most = min(MOST_FILE_BYTES, max(half, self._quota // _LEAST_SHARE))
        self._written[made] = most
        try:
            path = self._threads.run(self._prepare, session, made)
            yield SpoolFile(made, path, _url(session, made), most)
            self._threads.run(self._trim)
        finally:
            del self._written[made]

    def keep(self, session: str, text: str) -> SpoolFile:
        """Write a text to a new file.

        Raises:
            OSError: it cannot be written.
        """
        with self.file(session) as file:
            self._threads.run(_write, file, text)
        return file

    def open(self, session: str, output: str) -> int | None:
        """Return a descriptor for reading a file; None if it does not exist.

        The session is part of the file's name, so a session can only read its own output. It
        blocks: call it in a thread.
        """
        if not _ID.fullmatch(output) or not _SESSION.fullmatch(session):
            return None
        try:
            return open_file(f"{self._root}/{session}/{output}")
        except OSError:
            return None

    def read(self, session: str, output: str, start: int, most: int) -> bytes | None:
        """Return bytes of a file from a position on; None if the file does not exist."""
        return self._threads.run(self._read, session, output, start, most)

    def share(self, source: str, target: str) -> None:
        """Give a session all files of another session: the files have a name in both folders."""
        if _SESSION.fullmatch(source) and _SESSION.fullmatch(target):
            try:
                self._threads.run(_share, self._root / source, self._root / target)
            except OSError as error:
                log.warning("session %s: not all outputs of tools are shared: %s", target, error)

    def moved(self, source: str, target: str) -> dict[bytes, bytes]:
        """Return how the text of a part changes when `target` shares the files of `source`."""
        names = (self.folder(source) + "/", self.folder(target) + "/")
        return {
            json.encode(old)[1:-1]: json.encode(new)[1:-1]
            for old, new in (names, (_url(source, ""), _url(target, "")))
        }

    def remove(self, session: str) -> None:
        """Remove all files of a session."""
        if _SESSION.fullmatch(session):
            self._threads.run(shutil.rmtree, self._root / session, True)

    def folder(self, session: str) -> str:
        """Return the folder of a session's files."""
        return str(self._root / session)

    def _read(self, session: str, output: str, start: int, most: int) -> bytes | None:
        if (number := self.open(session, output)) is None:
            return None
        with open(number, "rb") as file:
            file.seek(start)
            return file.read(most)

    def _prepare(self, session: str, made: str) -> str:
        if not _SESSION.fullmatch(session):
            raise OSError(f"{session!r} cannot name a folder")
        folder = self._root / session
        for path in (self._root, folder):
            path.mkdir(mode=0o700, exist_ok=True)
        self._trim()
        return str(folder / made)

    def _trim(self) -> None:
        """Remove the oldest files beyond the quota, but none that is being written."""
        written = dict(self._written)
        paths: dict[str, list[str]] = {}
        sizes: dict[str, int] = {}
        for name, path, size in self._files():  # sessions that share a file have it by one name
            paths.setdefault(name, []).append(path)
            sizes[name] = size
        excess = sum(sizes.values()) - self._quota
        for name in sorted(sizes):
            if excess <= 0:
                return
            if name not in written:
                with contextlib.suppress(OSError):
                    for path in paths[name]:
                        os.unlink(path)
                    excess -= sizes[name]

    def _files(self) -> Iterator[tuple[str, str, int]]:
        """Yield the name, path and size of each file."""
        with contextlib.suppress(OSError):
            for folder in os.scandir(self._root):
                with contextlib.suppress(OSError):
                    for file in os.scandir(folder):
                        yield file.name, file.path, file.stat(follow_symlinks=False).st_size


def _url(session: str, output: str) -> str:
    return f"/weir/session/{session}/output/{output}"


def _share(source: Path, target: Path) -> None:
    if not source.is_dir():
        return
    target.mkdir(mode=0o700, exist_ok=True)
    for file in os.scandir(source):
        with contextlib.suppress(FileNotFoundError):  # a file may be removed meanwhile
            os.link(file.path, target / file.name, follow_symlinks=False)


def _write(to: SpoolFile, text: str) -> None:
    with open(os.open(to.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE].encode(errors="replace")
            file.write(piece[: max(0, to.most - file.tell())])


def cut(text: str, spool: Spool, session: str) -> tuple[str, dict[str, Any]]:
    """Return a text that fits into a part, and the metadata about the cut.

    Args:
        text: the output of a tool.
        spool: stores the whole text, if it is too long.
        session: of the call.
    """
    if len(text) <= clip.MOST_BYTES // 4:
        return text, {"truncated": False}
    data = text.encode(errors="replace")
    if len(data) <= clip.MOST_BYTES:
        return text, {"truncated": False}
    try:
        file = spool.keep(session, text)
        said, metadata = where(file.path), file.pointer
    except OSError as error:
        said, metadata = f"The whole could not be saved: {error.strerror or error}", {}
    head, tail = clip.beginning(data), clip.ending(data)
    return clip.joined(head, tail, len(data), said), {"truncated": True, **metadata}


def where(path: str) -> str:
    """Return the line for the model that names the file with all output."""
    return f"Full output saved to: {path}"
