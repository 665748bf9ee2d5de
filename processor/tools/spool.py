"""The spool: a folder of files with tool output that is too long for an event.

Events contain only the beginning and the end of such output.

Rules:

1. Each session has one folder, and each output one file, named by its id (``tool_…``). Ids sort by
   age.
2. A quota limits the files of all sessions together. When a file is begun and when it is complete,
   the oldest files above the quota are removed, whatever their session. Only bytes on disk count,
   because most commands write no file. So files that grow at the same time can exceed the quota
   until they are complete.
3. When a session is deleted, its folder is deleted.
4. Before a file is read, its id is checked: an id in another form than the spool's names no file.
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
_LEAST_SHARE = 64
"""Each file may take at least a 64th of the quota, however many files are written at once."""
_ID = re.compile(r"tool_[0-9a-f]{16}_[0-9a-f]{12}")
_SESSION = re.compile(r"[A-Za-z0-9_-]{1,200}")


class SpoolFile(Struct, frozen=True):
    """A file for one output.

    Attributes:
        id: the id of the output.
        path: the path of the file; `Spool.file` does not create the file.
        url: the path of the gateway's URL at which clients can read the file.
        most: the limit of the file in bytes.
    """

    id: str
    path: str
    url: str
    most: int

    def pointer(self, what: str = "output") -> dict[str, Any]:
        """Return the metadata with which clients find the file: path, id and URL."""
        return {f"{what}Path": self.path, f"{what}ID": self.id, f"{what}URL": self.url}


class Spool:
    """Writes, reads and removes the files of the spool.

    Args:
        state: the folder of the processor's state, which contains the spool's folder.
        quota: the limit of all files together in bytes.
        threads: the threads in which files are read and written.
    """

    def __init__(self, state: Path, quota: int, threads: Threads) -> None:
        self._root = Path(os.path.realpath(state)) / FOLDER
        self._quota = quota
        self._threads = threads
        self._written: dict[str, int] = {}
        """By the id of each file that may still be written: the limit of the file in bytes."""

    @contextlib.contextmanager
    def file(self, session: str) -> Iterator[SpoolFile]:
        """Yield a new path in a session's folder; the ``with`` block may write a file there.

        The more files are written at the same time, the smaller the limit of each, because they
        share the quota.

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

    def keep(self, session: str, data: bytes) -> SpoolFile:
        """Write data to a new file of a session, cut at the file's limit.

        Raises:
            OSError: the file cannot be written.
        """
        with self.file(session) as file:
            self._threads.run(_write, file, data)
        return file

    def open(self, session: str, output: str) -> int | None:
        """Open a session's output for reading; return the descriptor, or None if there is no file.

        This function blocks: call it in a thread.
        """
        if not _ID.fullmatch(output) or not _SESSION.fullmatch(session):
            return None
        try:
            return open_file(f"{self._root}/{session}/{output}")
        except OSError:
            return None

    def read(self, session: str, output: str, start: int, most: int) -> bytes | None:
        """Return up to `most` bytes of an output from `start` on; None if it does not exist."""
        return self._threads.run(self._read, session, output, start, most)

    def share(self, source: str, target: str) -> None:
        """Give the session `target` all files of `source`, as hard links; for a session's fork."""
        if _SESSION.fullmatch(source) and _SESSION.fullmatch(target):
            try:
                self._threads.run(_share, self._root / source, self._root / target)
            except OSError as error:
                words = "session %s: some saved outputs of tools could not be copied from %s: %s"
                log.warning(words, target, source, error)

    def moved(self, source: str, target: str) -> dict[bytes, bytes]:
        """Return what to replace in the JSON of parts that are copied from `source` to `target`.

        The keys are the old paths and URLs of the spool's files, the values are the new ones.
        """
        names = (self.folder(source) + "/", self.folder(target) + "/")
        return {
            json.encode(old)[1:-1]: json.encode(new)[1:-1]
            for old, new in (names, (_url(source, ""), _url(target, "")))
        }

    def remove(self, session: str) -> None:
        """Remove the folder of a session with all its files."""
        if _SESSION.fullmatch(session):
            self._threads.run(shutil.rmtree, self._root / session, True)

    def folder(self, session: str) -> str:
        """Return the path of the folder of a session's files; the folder may not exist."""
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
        """Remove the oldest files above the quota, except those that may still be written."""
        written = dict(self._written)
        paths: dict[str, list[str]] = {}
        sizes: dict[str, int] = {}
        for name, path, size in self._files():  # a shared file has one name in several folders
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
        """Yield the name, the path, and the size in bytes of each file in the spool."""
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
        with contextlib.suppress(FileNotFoundError):  # `_trim` may remove a file meanwhile
            os.link(file.path, target / file.name, follow_symlinks=False)


def _write(to: SpoolFile, data: bytes) -> None:
    with open(os.open(to.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(memoryview(data)[: to.most])


def cut(text: str, spool: Spool, session: str) -> tuple[str, dict[str, Any]]:
    """Cut a text that is too long for an event; return the text, and metadata for clients.

    Args:
        text: the output of a tool.
        spool: stores the whole text if it must be cut.
        session: the session of the call.
    """
    if len(text) <= clip.MOST_BYTES // 4:
        return text, {"truncated": False}
    data = text.encode(errors="replace")
    if len(data) <= clip.MOST_BYTES:
        return text, {"truncated": False}
    try:
        file = spool.keep(session, data)
        said, metadata = where(file.path), file.pointer()
    except OSError as error:
        said, metadata = f"The whole could not be saved: {error.strerror or error}", {}
    head, tail = clip.beginning(data), clip.ending(data)
    return clip.joined(head, tail, len(data), said), {"truncated": True, **metadata}


def where(path: str) -> str:
    """Return the line that tells the model in which file the whole output is."""
    return f"Full output saved to: {path}"
