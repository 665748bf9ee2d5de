"""The cursor with which a client requests another page of a list: base64url of ``{"id", "time"}``.

The time is in Unix ms, the id is of a message or session.
"""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct


class BadCursor(ValueError):
    """The text that a client has sent as a cursor is not a cursor."""


class _Cursor(Struct):
    id: str
    time: int


def encode(time: int, message: str) -> str:
    """Return a cursor from the time (Unix ms) and the id of a message or session."""
    data = msgspec.json.encode(_Cursor(message, time))
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(cursor: str, name: str = "before") -> tuple[int, str]:
    """Return the time (Unix ms) and the id of the message or session that a cursor names.

    Args:
        cursor: the text that a client has sent.
        name: the name of the query parameter, for the error.

    Raises:
        BadCursor: the text is not a cursor.
    """
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        data = base64.b64decode(padded, altchars=b"-_", validate=True)
        found = msgspec.json.decode(data, type=_Cursor)
    except (binascii.Error, msgspec.MsgspecError, UnicodeError) as error:
        raise BadCursor(
            f"{name}: {cursor!r} is not a cursor; use the cursor of another page"
        ) from error
    if not 0 <= found.time < 1 << 63:
        raise BadCursor(f"{name}: {cursor!r} is not a cursor; its time is out of range")
    return found.time, found.id
