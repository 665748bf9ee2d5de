"""Receives the head of a request, within limits of size and time.

Each byte is looked at once, so a head that comes in many small pieces costs little more.
"""

from __future__ import annotations

import re
import time

from gateway.door import head
from gateway.door.head import Head
from gateway.door.slow_lane import LINE_S, MANY_LINES, PIPELINED_S
from gateway.door.wire import GivenUp, Wire
from gateway.proxy.failures import Refusal

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 2000
"""The most headers in a request: as many as Node accepts (Bun accepts 200).

Each header takes 5 µs, in which the event loop serves no other client.
"""
IDLE_S = 75.0
HEAD_WITHIN_S = 10.0
_AT_ONCE = 8192
_FEW_PIECES = 4
_BYTES_A_PIECE = 512
_END = b"\r\n\r\n"
_BARE_LF = re.compile(rb"(?<!\r)\n")


def receive_head(wire: Wire) -> Head | None:
    """Wait for the next request of a connection, and return its head.

    Return None if the client sends no further request. A request that was sent before the previous
    answer, or that has very many headers, is slowed down (`SlowLane`).

    Raises:
        Refusal: the head is malformed or too long, or came too slowly.
        OSError: the connection is broken.
    """
    ahead, follows = wire.ahead, bool(wire.ahead)
    until = time.monotonic() + HEAD_WITHIN_S if ahead else None
    searched = pieces = 0
    while (end := ahead.find(_END, max(0, searched - len(_END) + 1))) < 0 or end > MAX_HEAD_BYTES:
        _check(ahead, searched)
        searched = len(ahead)
        pieces += 1
        if pieces > _FEW_PIECES + searched // _BYTES_A_PIECE:
            wire.lane.gather()
        within_s = IDLE_S if until is None else until - time.monotonic()
        if within_s <= 0:  # also reached if no receive waits, since bytes come one by one
            raise Refusal(
                408, f"the head of the request did not arrive within {HEAD_WITHIN_S:g} s"
            )
        try:
            data = wire.receive(_AT_ONCE, within_s)
        except GivenUp as error:
            if ahead:
                raise Refusal(408, f"the head of the request is incomplete: {error}") from None
            return None
        if not data:
            return None
        until = until or time.monotonic() + HEAD_WITHIN_S
        ahead += data
        if searched == 0 and ahead.startswith(b"\r\n"):
            del ahead[:2]  # RFC 9112, 2.2: a server ignores an empty line before a request
    lines = ahead.count(b"\n", 0, end)
    if lines > MAX_HEADERS:
        raise Refusal(431, f"the request has {lines} headers; at most {MAX_HEADERS} are allowed")
    if lines > MANY_LINES:
        wire.lane.pass_through(lines * LINE_S)
    elif follows:
        wire.lane.pass_through(PIPELINED_S)
    parsed = head.parse(bytes(ahead[:end]))
    del ahead[: end + len(_END)]
    return parsed


def _check(ahead: bytearray, searched: int) -> None:
    """Refuse an incomplete head that is too long already, or has a malformed line."""
    if len(ahead) > MAX_HEAD_BYTES:
        long_line = ahead.find(b"\r\n", 0, MAX_HEAD_BYTES) < 0
        what, status = ("request line", 414) if long_line else ("head of the request", 431)
        raise Refusal(status, f"the {what} is longer than {MAX_HEAD_BYTES} bytes")
    if _BARE_LF.search(ahead, max(0, searched - 1)):
        raise Refusal(
            400, "a line in the head of the request ends with LF alone; it must end with CRLF"
        )
