"""Notes of what waits for a person: jobs for `Database`.

A processor that was killed cannot be answered any more. The next one finds the notes and tells
readers that these asks are over.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from bus.events.session import Session
from processor.store import sessions


class Left(Struct):
    """An ask that the last processor has left: its id, its session, ``permission`` or not."""

    id: str
    session: Session
    is_permission: bool


def put(db: sqlite3.Connection, request: str, session: str, kind: str) -> None:
    """Note that an ask waits."""
    db.execute(
        "INSERT INTO ask (id, session, kind) SELECT ?1, id, ?3 FROM session WHERE id = ?2",
        (request, session, kind),
    )


def remove(db: sqlite3.Connection, request: str) -> None:
    """Note that an ask is answered."""
    db.execute("DELETE FROM ask WHERE id = ?", (request,))


def left(db: sqlite3.Connection) -> list[Left]:
    """Return what waited when the last processor ended."""
    rows = db.execute("SELECT id, session, kind FROM ask ORDER BY id").fetchall()
    return [
        Left(request, sessions.get(db, session), kind == "permission")
        for request, session, kind in rows
    ]
