"""Readers that read a byte now and then, later than the stall deadline allows."""

import socket
import time
from contextlib import suppress

from tests.hostile.attack import Attack, Site, reset

_STALL_S = 2
_SHED_WITHIN_S = 60.0
_STREAM = b"GET /global/event HTTP/1.1\r\nHost: weir\r\n\r\n"
_WINDOW_BYTES = 2304
_CLOSED = b"\x07"


def run(site: Site, count: int) -> None:
    """Open the streams with the least window; each reads a byte every other deadline."""
    dripping = site.crowd(count, _STREAM, _WINDOW_BYTES)
    site.begin()
    for _ in site.hold(2 * _STALL_S):
        dripping = [sock for sock in dripping if _goes_on(sock)]
    site.end()
    end = time.monotonic() + _SHED_WITHIN_S
    while (left := [sock for sock in dripping if _goes_on(sock)]) and time.monotonic() < end:
        dripping = left
        time.sleep(2 * _STALL_S)
    if left:
        site.wrong.append(f"{len(left)} readers of a byte in {2 * _STALL_S} s are not shed")
    for sock in left:
        reset(sock)


def _goes_on(sock: socket.socket) -> bool:
    """Read a byte, and tell whether weir still holds the connection; there may be more to read."""
    if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != _CLOSED:
        with suppress(OSError):
            sock.recv(1, socket.MSG_DONTWAIT)
        return True
    sock.close()
    return False


ATTACK = Attack(
    "{n} readers of a byte in 4 s, stall deadline 2 s",
    run,
    full=1_000,
    small=0,  # takes a weir of its own, and longer than the tests have
    flags=("--stall-timeout", str(_STALL_S)),
)
