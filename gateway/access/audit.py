"""``audit.ndjson`` in the state folder: a line for every write and every refused request.

A line has the principal, the method and path, the session and the address; never a query, a header
or a body, which may contain a secret. All workers append to the file. Once it is larger than
`MOST_BYTES`, it is renamed to ``audit.ndjson.1``, and a new file begins.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from pathlib import Path
from urllib.parse import unquote

import msgspec

log = logging.getLogger("weir.gateway")

NAME = "audit.ndjson"
MOST_BYTES = 16 * 1024 * 1024
_MOST_REFUSALS_S = 100
"""How many refusals a worker logs each second: a flood must not push all else out of the file."""
_LONGEST = 300
_encode = msgspec.json.Encoder().encode


class Audit:
    """Appends lines to the audit log.

    Args:
        folder: the state folder.
        most_bytes: the size of the file after which a new file begins.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = folder / NAME
        self._most_bytes = most_bytes
        self._second = self._refusals = self._left_out = 0
        self._failed = False

    def note(
        self, who: str, method: str, path: str, address: str, session: str, refused: int | None
    ) -> None:
        """Append a line for a request; if the file cannot be written, this is logged, not raised.

        Args:
            who: the name of the principal; empty if the principal is not known.
            method: the HTTP method.
            path: the path of the request, percent-encoded, without the query.
            address: the client's address.
            session: id of the session in the path; empty if the path has none.
            refused: the HTTP status of the refusal; None for a write that is served.
        """
        now = time.time()
        if refused is not None and not self._has_room(int(now)):
            return
        line = {"time": round(now, 3), "who": who, "from": address, "method": method[:20]}
        line["path"] = unquote(path)[:_LONGEST]
        if session:
            line["session"] = session[:_LONGEST]
        if refused is not None:
            line["refused"] = refused
        if self._left_out:
            line["left_out"], self._left_out = self._left_out, 0
        try:
            self._append(_encode(line) + b"\n")
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.error("%s cannot be written: %s", self._path, error.strerror)
            self._failed = True

    def _has_room(self, second: int) -> bool:
        if second != self._second:
            self._second, self._refusals = second, 0
        self._refusals += 1
        if self._refusals > _MOST_REFUSALS_S:
            self._left_out += 1
            return False
        return True

    def _append(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        opened = os.open(self._path, flags, 0o600)
        try:
            os.write(opened, line)
            if os.fstat(opened).st_size > self._most_bytes:
                self._rotate(opened)
        finally:
            os.close(opened)

    def _rotate(self, opened: int) -> None:
        """Begin a new file, unless another worker has done so."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(opened).st_ino == self._path.stat().st_ino:
                os.replace(self._path, self._path.with_name(f"{NAME}.1"))
