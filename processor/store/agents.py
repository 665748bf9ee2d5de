"""The progress of the user's own agents, and todo lists: jobs that `Database` runs.

An agent sends numbered lines (`seq`); its epoch grows with each start of the agent. Epoch and seq
of the last line are saved in one transaction with the line's effects. So the processor recognises
a line that is sent again, even after a restart.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from bus.events.session import Todo

MOST_AGENTS = 256

_encode = msgspec.json.Encoder().encode
_decode_todos = msgspec.json.Decoder(list[Todo]).decode


def note(db: sqlite3.Connection, name: str, epoch: int, seq: int) -> None:
    """Save the epoch and the seq of an agent's last line, unless a newer epoch is saved."""
    db.execute(
        "INSERT INTO agent (name, epoch, seq) VALUES (?, ?, ?) "
        "ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq "
        "WHERE excluded.epoch >= epoch",
        (name, epoch, seq),
    )


def all_of_them(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Return the saved (epoch, seq) of each agent's last line, by the agent's name."""
    rows = db.execute("SELECT name, epoch, seq FROM agent ORDER BY name")
    return {name: (epoch, seq) for name, epoch, seq in rows}


def forget(db: sqlite3.Connection, name: str) -> None:
    """Delete the saved epoch and seq of an agent."""
    db.execute("DELETE FROM agent WHERE name = ?", (name,))


def put_todos(db: sqlite3.Connection, session: str, todos: Sequence[Todo]) -> None:
    """Replace the todo list of a session; if the session was removed, do nothing."""
    db.execute(
        "INSERT INTO todo (session, json) SELECT id, ?2 FROM session "
        "WHERE id = ?1 AND NOT hidden "
        "ON CONFLICT (session) DO UPDATE SET json = excluded.json",
        (session, _encode(todos)),
    )


def todos(db: sqlite3.Connection, session: str) -> list[Todo]:
    """Return the todo list of a session; empty if none was saved."""
    row = db.execute("SELECT json FROM todo WHERE session = ?", (session,)).fetchone()
    return [] if row is None else _decode_todos(row[0])
