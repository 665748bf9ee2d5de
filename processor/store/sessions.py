"""Sessions in the database: jobs for `Database`, each given the connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from bus.events.session import Session
from processor.store import removals
from processor.store.arrival import LAST

MOST_DIRECTORIES = 1000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Session).decode


class UnknownSession(Exception):
    """There is no such session."""

    def __init__(self, session: str) -> None:
        super().__init__(f"Session not found: {session}")


def source(db: sqlite3.Connection) -> str:
    """Return the id of the processor that this database belongs to."""
    name: str = db.execute("SELECT source FROM identity").fetchone()[0]
    return name


def made(db: sqlite3.Connection) -> tuple[list[str], list[str]]:
    """Return the newest ids: those made here, and those that clients may have made."""
    own = (
        "SELECT id FROM session ORDER BY rowid DESC LIMIT 1",
        "SELECT id FROM message WHERE role = 'assistant' ORDER BY rowid DESC LIMIT 1",
        "SELECT p.id FROM part p JOIN message m ON m.id = p.message "
        "WHERE m.role = 'assistant' ORDER BY p.rowid DESC LIMIT 1",
    )
    others = tuple(
        f"SELECT id FROM {of} ORDER BY rowid DESC LIMIT 1" for of in ("message", "part")
    )
    rows = [[row[0] for one in jobs for row in db.execute(one)] for jobs in (own, others)]
    return rows[0], rows[1]


def insert(db: sqlite3.Connection, session: Session) -> None:
    """Store a new session.

    Raises:
        UnknownSession: its parent does not exist.
    """
    parent = None if session.parentID is msgspec.UNSET else session.parentID
    try:
        db.execute(
            "INSERT INTO session (id, parent, directory, title, updated, json) "
            f"VALUES (?, ?, ?, ?, max(?, {LAST} + 1), ?)",
            (session.id, parent, session.directory, *_columns(session)),
        )
    except sqlite3.IntegrityError:
        raise UnknownSession(str(parent)) from None


def get(db: sqlite3.Connection, session: str) -> Session:
    """Return a session.

    Raises:
        UnknownSession: it does not exist.
    """
    row = db.execute("SELECT json FROM session WHERE id = ?", (session,)).fetchone()
    if row is None:
        raise UnknownSession(session)
    return _decode(row[0])


def update(db: sqlite3.Connection, session: str, change: Callable[[Session], None]) -> Session:
    """Let `change` edit a session, store it and return it, with nothing between.

    Raises:
        UnknownSession: it does not exist.
    """
    found = get(db, session)
    change(found)
    db.execute(
        f"UPDATE session SET title = ?, updated = max(?, {LAST} + 1), json = ? WHERE id = ?",
        (*_columns(found), session),
    )
    return found


def family(db: sqlite3.Connection, session: str) -> list[Session]:
    """Return a session and all it is the ancestor of, children before their parents.

    Raises:
        UnknownSession: it does not exist.
    """
    found = [get(db, session)]
    for ancestor in found:
        rows = db.execute("SELECT json FROM session WHERE parent = ?", (ancestor.id,))
        found.extend(_decode(row[0]) for row in rows)
    return found[::-1]


def delete(db: sqlite3.Connection, session: str, now_ms: int) -> list[Session]:
    """Remove a session, all it is the ancestor of, and their messages; note that in `removals`.

    Returns:
        What is gone, children before their parents.

    Raises:
        UnknownSession: it does not exist.
    """
    removed = family(db, session)
    db.execute("DELETE FROM session WHERE id = ?", (session,))
    removals.note(db, removed, now_ms)
    return removed


def listing(
    db: sqlite3.Connection,
    directory: str | None,
    roots: bool,
    start: int | None,
    search: str | None,
    limit: int,
) -> list[int]:
    """Return the rows of sessions, the last changed first; None stands for no condition."""
    rows = db.execute(
        "SELECT rowid FROM session WHERE (:directory IS NULL OR directory = :directory) "
        "AND (NOT :roots OR parent IS NULL) AND (:start IS NULL OR updated >= :start) "
        "AND (:search IS NULL OR instr(lower(title), lower(:search))) "
        "ORDER BY updated DESC, id LIMIT :limit",
        {
            "directory": directory,
            "roots": roots,
            "start": start,
            "search": search,
            "limit": limit,
        },
    )
    return [row[0] for row in rows]


def some(db: sqlite3.Connection, rows: Sequence[int], size: int) -> tuple[list[bytes], list[int]]:
    """Return the JSON of the first of `rows`, about `size` bytes, and the rows that are left.

    Sessions that have been removed meanwhile are left out.
    """
    found: list[bytes] = []
    for number, row in enumerate(rows):
        if size <= 0:
            return found, list(rows[number:])
        json = db.execute("SELECT json FROM session WHERE rowid = ?", (row,)).fetchone()
        if json is not None:
            found.append(json[0])
            size -= len(json[0])
    return found, []


def directories(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return directories that have sessions, and when one there last changed (ms).

    Of very many, the `MOST_DIRECTORIES` where something changed last.
    """
    return db.execute(
        "SELECT directory, max(updated) AS last FROM session GROUP BY directory "
        "ORDER BY last DESC LIMIT ?",
        (MOST_DIRECTORIES,),
    ).fetchall()


def _columns(session: Session) -> tuple[str, int, bytes]:
    return session.title, session.time.updated, _encode(session)
