"""Checks what a proxy lets through: large bodies, long waits, many browser tabs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from msgspec import structs

from deploy.doctor.finding import Finding, duration, ok, warn
from deploy.doctor.identity import LIVEZ
from deploy.doctor.patient import CLIENT_ERRORS, Patient

_MIB = 1024 * 1024
_SIZES_MIB = (32, 16, 8, 4, 2, 1)
"""The first is the limit of weir itself."""
_TOO_LARGE = 413
_GAVE_UP = (408, 499, 500, 502, 504, 522, 524)
_HOLD = "/weir/hold"


def check_bodies(patient: Patient) -> Iterator[Finding]:
    """Check that a large prompt would pass: its size is announced, but nothing of it is sent."""
    passes = _largest_mib(patient)
    if passes is None:
        return
    if passes == _SIZES_MIB[0]:
        yield ok("bodies", f"a request of {passes} MiB is not refused on its way")
        return
    smaller = f"one of {passes} MiB passes" if passes else "and so is any that is larger"
    yield warn(
        "bodies",
        f"a request of {2 * passes or 1} MiB is refused with 413 on its way, {smaller}: prompts "
        "with pictures or files do not arrive",
        "let larger bodies pass: in nginx `client_max_body_size 0;`, see deploy/nginx.conf",
    )


def _largest_mib(patient: Patient) -> int | None:
    """Return the largest size that passes, 0 if none does; None if unknown."""
    try:
        for size in _SIZES_MIB:
            # A route without a body: weir does not read the body.
            if patient.announce(LIVEZ, size * _MIB) != _TOO_LARGE:
                return size
    except CLIENT_ERRORS:
        return None
    return 0


def check_browsers(patient: Patient) -> Iterator[Finding]:
    """Check that a browser can open many tabs: with HTTP/2 they share a connection."""
    if patient.origin.scheme != "https":
        return
    if patient.protocol() == "h2":
        yield ok("tabs", "HTTP/2 is offered, so that a browser may have many tabs")
    else:
        yield warn(
            "tabs",
            "HTTP/2 is not offered: a browser has six connections, and a sixth tab takes the last",
            "offer HTTP/2: in nginx `listen 443 ssl http2;`, see deploy/nginx.conf",
        )


class HeldRequest:
    """A request that waits for its answer, in a thread of its own.

    Args:
        patient: the server.
        hold_s: how long the server should wait; 0: send no request.
    """

    def __init__(self, patient: Patient, hold_s: int) -> None:
        self._patient = structs.replace(patient, timeout_s=hold_s + patient.timeout_s)
        self._hold_s = hold_s
        self._status: int | None = None
        self._took_s = 0.0
        self._reader = threading.Thread(target=self._wait, daemon=True)
        if hold_s:
            self._reader.start()

    def findings(self) -> Iterator[Finding]:
        """Wait for the end of the request, and report whether it was answered."""
        if not self._hold_s:
            return
        self._reader.join()
        if self._status == 200 and self._took_s >= self._hold_s:
            yield ok("waits", f"a request may wait {self._hold_s} s for its answer")
        elif self._status is None or self._status in _GAVE_UP:
            how = "cut" if self._status is None else f"answered with {self._status}"
            yield warn(
                "waits",
                f"a request that waits is {how} on its way after {duration(self._took_s)}: a turn "
                "that takes longer looks as if it had failed",
                "have the proxy wait longer: in nginx `proxy_read_timeout 1d;`, see "
                "deploy/nginx.conf",
            )

    def _wait(self) -> None:
        began = time.monotonic()
        try:
            answer, _ = self._patient.json(f"{_HOLD}?seconds={self._hold_s}")
            self._status = answer.status
        except CLIENT_ERRORS:
            self._status = None
        self._took_s = time.monotonic() - began
