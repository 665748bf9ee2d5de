"""The sessions that were removed last, as they were: nothing else in the store records them.

A note is written in the transaction of the removal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from bus.events.session import Session
from processor.store.arrival import LAST

MOST = 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Session).decode


def note(db: sqlite3.Connection, removed: Sequence[Session], now_ms: int) -> None:
    """Remember what is removed now, in this order."""
    db.executemany(
        f"INSERT INTO removal (time, json) VALUES (max(?, {LAST}), ?)",
        [(now_ms, _encode(session)) for session in removed],
    )
    db.execute(
        "DELETE FROM removal WHERE number <= (SELECT max(number) FROM removal) - ?", (MOST,)
    )


def since(db: sqlite3.Connection, time_ms: int) -> list[Session]:
    """Return what was removed at or after a time, in the order in which it was."""
    rows = db.execute("SELECT json FROM removal WHERE time >= ? ORDER BY number", (time_ms,))
    return [_decode(row[0]) for row in rows]


def before(db: sqlite3.Connection, time_ms: int) -> list[Session]:
    """Return what was removed before a time, likewise."""
    rows = db.execute("SELECT json FROM removal WHERE time < ? ORDER BY number", (time_ms,))
    return [_decode(row[0]) for row in rows]
