"""Permission requests and questions (asks) of models' turns that wait for a person.

These are jobs that `Database` runs. A model's turn ends when its processor ends. The next
processor closes the turn's asks, so that clients stop showing them.
"""

from __future__ import annotations

import sqlite3

import msgspec

from bus.events.catalogue import PermissionAsked, QuestionAsked
from processor.store.open_turns import Asked, decoded_ask

_encode = msgspec.json.Encoder().encode


def put(db: sqlite3.Connection, asked: Asked) -> None:
    """Save a permission request or question that waits for a person."""
    db.execute(
        "INSERT INTO model_ask (id, session, json) VALUES (?, ?, ?)",
        (asked.id, asked.sessionID, _encode(asked)),
    )


def remove(db: sqlite3.Connection, ask: str) -> None:
    """Delete a permission request or question that a person has answered."""
    db.execute("DELETE FROM model_ask WHERE id = ?", (ask,))


def take(db: sqlite3.Connection) -> list[PermissionAsked | QuestionAsked]:
    """Delete and return the permission requests and questions that the last processor left."""
    rows = db.execute("SELECT id, json FROM model_ask ORDER BY id").fetchall()
    db.execute("DELETE FROM model_ask")
    return [decoded_ask(ask, json) for ask, json in rows]
