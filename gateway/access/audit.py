"""``audit.ndjson`` in the state folder: a line for every write and every refused request.

1. A line is written when the status of the answer is known, so that it says what was answered.
2. A line has the principal, the method and path, the session and the address; never a query, a
   header or a body, which may contain a secret.
3. All workers append to the file. Once it is larger than `MOST_BYTES`, it is renamed to
   ``audit.ndjson.1``, and a new file begins.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct, field

from gateway.access.principal import Principal

log = logging.getLogger("weir.gateway")

NAME = "audit.ndjson"
MOST_BYTES = 16 * 1024 * 1024
_MOST_REFUSALS_S = 100
"""How many refusals a worker logs each second: a flood must not push all else out of the file."""
_LONGEST = 300
_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
_encode = msgspec.json.Encoder().encode


class Entry(Struct):
    """A line of the audit whose request is not answered yet.

    Attributes:
        method: the HTTP method.
        path: the path of the request, percent-encoded, without the query.
        address: the client's address.
        always: the line is written whatever the answer is, since the request is a write, or is
            refused before it is served. If not, only a refusal is noted.
        principal: the sender; None while it is not known.
        session: id of the session that the request is about; empty if there is none.
        time: when the request came, in seconds since the Unix epoch.
    """

    method: str
    path: str
    address: str
    always: bool = False
    principal: Principal | None = None
    session: str = ""
    time: float = field(default_factory=time.time)

    def line(self, status: int | None) -> dict[str, Any]:
        """Return the line for a request that is answered with `status`; None: not answered."""
        line = {"time": round(self.time, 3), **_sender(self.principal), "from": self.address}
        line |= {"method": self.method[:20], "path": unquote(self.path)[:_LONGEST]}
        if self.session:
            line["session"] = self.session[:_LONGEST]
        return {**line, "status": status}


def _sender(principal: Principal | None) -> dict[str, str]:
    """Return the name of a principal; a person is named with the source that names the person."""
    if principal is None:
        return {"who": ""}
    if principal.person is not None:
        return {"who": principal.id}
    return {"who": principal.name, **({"token": principal.id} if principal.id else {})}


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

    def note(self, entry: Entry, status: int | None) -> None:
        """Append a line for a request, unless the request is a read that was not refused.

        If the file cannot be written, this is logged, and no error is raised.

        Args:
            entry: the request.
            status: the HTTP status of the answer; None: the connection ended without an answer,
                but the request may have been carried out.
        """
        if not entry.always and status not in _REFUSALS:
            return
        has_no_effect = status is not None and 400 <= status < 500
        is_limited = entry.principal is None or has_no_effect
        if is_limited and not self._has_room(int(time.time())):
            return
        line = entry.line(status)
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
