"""Checks the limits of a proxy: the size of bodies, the length of waits, the number of tabs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from msgspec import structs

from deploy.doctor.examined_server import CLIENT_ERRORS, ExaminedServer
from deploy.doctor.finding import Finding, duration, ok, warn
from deploy.doctor.identity import LIVEZ

_MIB = 1024 * 1024
_SIZES_MIB = (32, 16, 8, 4, 2, 1)
"""Sizes to try, in MiB, largest first. weir's own limit for a prompt is 32 MiB."""
_TOO_LARGE = 413
_GAVE_UP = (408, 499, 500, 502, 504, 522, 524)
_HOLD = "/weir/hold"


def check_bodies(server: ExaminedServer) -> Iterator[Finding]:
    """Check that a proxy would pass a large prompt on.

    A request announces the size of its body (`Expect: 100-continue`), and sends no body.
    """
    passes = _largest_mib(server)
    if passes is None:
        return
    if passes == _SIZES_MIB[0]:
        yield ok("bodies", f"a request of {passes} MiB is not refused by a proxy")
        return
    smaller = f", but lets a request of {passes} MiB pass" if passes else ""
    yield warn(
        "bodies",
        f"a proxy refuses a request of {2 * passes or 1} MiB with status 413{smaller}: prompts "
        "with pictures or files do not arrive at weir",
        "have the proxy pass larger bodies on (nginx: `client_max_body_size 0;`, see "
        "deploy/nginx.conf)",
    )


def _largest_mib(server: ExaminedServer) -> int | None:
    """Return the largest of the sizes that passes; 0 if none passes, None if that is unknown."""
    try:
        for size in _SIZES_MIB:
            # weir itself never refuses this request, because the route reads no body. So it is a
            # proxy that answers 413.
            if server.announce(LIVEZ, size * _MIB) != _TOO_LARGE:
                return size
    except CLIENT_ERRORS:
        return None
    return 0


def check_browsers(server: ExaminedServer) -> Iterator[Finding]:
    """Check that a browser can open many tabs: with HTTP/2, all tabs share one connection."""
    if server.origin.scheme != "https":
        return
    if server.protocol() == "h2":
        yield ok("tabs", "HTTP/2 is offered, so a browser can keep many tabs open")
    else:
        yield warn(
            "tabs",
            "HTTP/2 is not offered. With HTTP/1.1 a browser opens at most six connections to a "
            "server, and each tab keeps one for its event stream: with six tabs, no request gets "
            "through",
            "have the proxy offer HTTP/2 (nginx: `listen 443 ssl http2;`, see deploy/nginx.conf)",
        )


class HeldRequest:
    """A request that weir answers only after `hold_s` seconds, sent in a thread of its own.

    It shows whether a proxy ends a request that waits for its answer, as the request for a long
    turn does.

    Args:
        server: the server under examination.
        hold_s: after how many seconds weir should answer; 0: send no request.
    """

    def __init__(self, server: ExaminedServer, hold_s: int) -> None:
        self._server = structs.replace(server, timeout_s=hold_s + server.timeout_s)
        self._hold_s = hold_s
        self._status: int | None = None
        self._took_s = 0.0
        self._reader = threading.Thread(target=self._wait, daemon=True)
        if hold_s:
            self._reader.start()

    def findings(self) -> Iterator[Finding]:
        """Wait for the end of the request, and report whether weir or a proxy has ended it."""
        if not self._hold_s:
            return
        self._reader.join()
        if self._status == 200 and self._took_s >= self._hold_s:
            yield ok("waits", f"a request may wait {self._hold_s} s for its answer")
        elif self._status is None or self._status in _GAVE_UP:
            how = "cuts" if self._status is None else f"answers {self._status} to"
            yield warn(
                "waits",
                f"a proxy {how} a request that waits for its answer, after "
                f"{duration(self._took_s)}: to clients, a turn that takes longer looks failed",
                "have the proxy wait longer (nginx: `proxy_read_timeout 1d;`, see "
                "deploy/nginx.conf)",
            )

    def _wait(self) -> None:
        began = time.monotonic()
        try:
            answer, _ = self._server.json(f"{_HOLD}?seconds={self._hold_s}")
            self._status = answer.status
        except CLIENT_ERRORS:
            self._status = None
        self._took_s = time.monotonic() - began
