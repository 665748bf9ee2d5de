"""A record of the last removals, so that a restarted processor can publish these removals again.

The functions are jobs that `Database` runs. The record is written in the same transaction as the
removal. At most `MOST` removals of sessions are recorded, and `MOST` of messages and parts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from bus.events.session import Session
from processor.store.arrival import LAST

MOST = 1024


class Gone(Struct):
    """The removal of a message from its session; or, if `part` is set, only of this part."""

    session: str
    message: str
    part: str | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Session).decode


def note(db: sqlite3.Connection, removed: Sequence[Session], now_ms: int) -> None:
    """Record removed sessions, in the given order; delete the oldest records."""
    db.executemany(
        f"INSERT INTO removal (time, json) VALUES (max(?, {LAST}), ?)",
        [(now_ms, _encode(session)) for session in removed],
    )
    db.execute(
        "DELETE FROM removal WHERE number <= (SELECT max(number) FROM removal) - ?", (MOST,)
    )


def since(db: sqlite3.Connection, time_ms: int) -> list[Session]:
    """Return the sessions that were removed at or after a time, in the order of removal."""
    rows = db.execute("SELECT json FROM removal WHERE time >= ? ORDER BY number", (time_ms,))
    return [_decode(row[0]) for row in rows]


def before(db: sqlite3.Connection, time_ms: int) -> list[Session]:
    """Return the sessions that were removed before a time, in the order of removal."""
    rows = db.execute("SELECT json FROM removal WHERE time < ? ORDER BY number", (time_ms,))
    return [_decode(row[0]) for row in rows]


def note_parts(db: sqlite3.Connection, gone: Sequence[Gone], now_ms: int) -> None:
    """Record removed messages and parts, in the given order; delete the oldest records."""
    db.executemany(
        f"INSERT INTO gone (time, session, message, part) VALUES (max(?, {LAST}), ?, ?, ?)",
        [(now_ms, one.session, one.message, one.part) for one in gone],
    )
    db.execute("DELETE FROM gone WHERE number <= (SELECT max(number) FROM gone) - ?", (MOST,))


def parts_since(db: sqlite3.Connection, time_ms: int) -> list[Gone]:
    """Return the messages and parts removed at or after a time, in the order of removal.

    Those of removed sessions are left out.
    """
    rows = db.execute(
        "SELECT session, message, part FROM gone WHERE time >= ? AND session NOT IN "
        "(SELECT id FROM session WHERE hidden) ORDER BY number",
        (time_ms,),
    )
    return [Gone(*row) for row in rows]
