"""Sessions that were removed lately, as they were: nothing else in the store would tell of them.

A note is written in the transaction of the removal. The next removal drops those too old to be
news to anybody.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from bus.events.session import Session

KEPT_MS = 60_000
MOST = 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Session).decode


def note(db: sqlite3.Connection, removed: Sequence[Session], now_ms: int) -> None:
    """Remember what is removed now, in this order."""
    db.executemany(
        "INSERT INTO removal (time, json) VALUES (?, ?)",
        [(now_ms, _encode(session)) for session in removed],
    )
    db.execute(
        "DELETE FROM removal WHERE time < ? OR number <= (SELECT max(number) FROM removal) - ?",
        (now_ms - KEPT_MS, MOST),
    )


def since(db: sqlite3.Connection, time_ms: int) -> list[Session]:
    """Return what was removed at or after a time, in the order in which it was."""
    rows = db.execute("SELECT json FROM removal WHERE time >= ? ORDER BY number", (time_ms,))
    return [_decode(row[0]) for row in rows]
