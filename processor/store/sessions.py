"""Sessions in the database: jobs that `Database` runs with its connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from bus.events.session import Session
from processor.store import removals
from processor.store.arrival import LAST

MOST_DIRECTORIES = 1000
SMALL_PARTS, SMALL_BYTES = 1000, 2 * 1024 * 1024
"""The most parts, and bytes of their JSON, that one transaction deletes."""
PAGE_BYTES = 8 * 1024 * 1024
REMOVED, INCOMPLETE = 1, 2
"""The values of the column `hidden`: the session is being deleted, or its copy is incomplete."""
_DISCARDED = "~"
"""A mark in the id of a hidden session that only has removed messages of another session."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Session).decode


class UnknownSession(Exception):
    """The session does not exist."""

    def __init__(self, session: str) -> None:
        super().__init__(f"Session not found: {session}")


def source(db: sqlite3.Connection) -> str:
    """Return the processor's id (`source` in events), which was made with the database."""
    name: str = db.execute("SELECT source FROM identity").fetchone()[0]
    return name


def made(db: sqlite3.Connection) -> tuple[list[str], list[str]]:
    """Return the newest ids in the store, so that new ids are greater.

    Returns:
        The ids that weir itself has made, and the ids that clients may have chosen.
    """
    own = [
        f"SELECT id FROM session WHERE NOT instr(id, '{_DISCARDED}') ORDER BY rowid DESC LIMIT 1",
        "SELECT id FROM message WHERE role = 'assistant' ORDER BY rowid DESC LIMIT 1",
    ]
    if db.execute("SELECT 1 FROM message WHERE role = 'assistant' LIMIT 1").fetchone():
        # Without any answer, this would read all parts.
        own.append(
            "SELECT p.id FROM part p JOIN message m ON m.id = p.message "
            "WHERE m.role = 'assistant' ORDER BY p.rowid DESC LIMIT 1"
        )
    others = [f"SELECT id FROM {of} ORDER BY rowid DESC LIMIT 1" for of in ("message", "part")]
    rows = [[row[0] for one in jobs for row in db.execute(one)] for jobs in (own, others)]
    return rows[0], rows[1]


def insert(db: sqlite3.Connection, session: Session, hidden: int = 0) -> None:
    """Insert a session; if `hidden` is not 0, other jobs act as if it did not exist.

    Raises:
        UnknownSession: the parent of the session does not exist.
    """
    parent = None if session.parentID is msgspec.UNSET else session.parentID
    if parent is not None:
        check(db, parent)
    db.execute(
        "INSERT INTO session (id, parent, directory, title, updated, json, hidden) "
        f"VALUES (?, ?, ?, ?, max(?, {LAST} + 1), ?, ?)",
        (session.id, parent, session.directory, *_columns(session), hidden),
    )


def show(db: sqlite3.Connection, session: str) -> None:
    """Make a hidden session visible, once its copy is complete."""
    db.execute("UPDATE session SET hidden = 0 WHERE id = ?", (session,))


def discard(db: sqlite3.Connection, session: str) -> None:
    """Hide a session for good; `processor.store.upkeep` deletes its rows later, in slices."""
    db.execute("UPDATE session SET hidden = ? WHERE id = ?", (REMOVED, session))


def discard_messages(db: sqlite3.Connection, session: str, messages: Sequence[str]) -> None:
    """Move messages into a hidden session, whose rows `processor.store.upkeep` deletes in slices.

    A single transaction that deletes gigabytes would block all other jobs.
    """
    (name,) = db.execute("SELECT ?1 || ?2 || hex(randomblob(8))", (session, _DISCARDED)).fetchone()
    db.execute(
        "INSERT INTO session (id, directory, title, updated, json, hidden) "
        "SELECT ?, directory, title, updated, json, ? FROM session WHERE id = ?",
        (name, REMOVED, session),
    )
    db.executemany(
        "UPDATE message SET session = ?, open = 0 WHERE id = ?",
        [(name, message) for message in messages],
    )


def discard_incomplete(db: sqlite3.Connection) -> None:
    """Discard the sessions of all copies that the last processor did not complete."""
    db.execute("UPDATE session SET hidden = ? WHERE hidden = ?", (REMOVED, INCOMPLETE))


def check(db: sqlite3.Connection, session: str) -> None:
    """Check that a session exists.

    Raises:
        UnknownSession: the session does not exist.
    """
    found = db.execute("SELECT 1 FROM session WHERE id = ? AND NOT hidden", (session,)).fetchone()
    if found is None:
        raise UnknownSession(session)


def get(db: sqlite3.Connection, session: str) -> Session:
    """Return a session.

    Raises:
        UnknownSession: the session does not exist.
    """
    row = db.execute("SELECT json FROM session WHERE id = ? AND NOT hidden", (session,)).fetchone()
    if row is None:
        raise UnknownSession(session)
    return _decode(row[0])


def update(db: sqlite3.Connection, session: str, change: Callable[[Session], None]) -> Session:
    """Read a session, let `change` edit it, store it and return it, all in one transaction.

    Raises:
        UnknownSession: the session does not exist.
    """
    found = get(db, session)
    change(found)
    db.execute(
        f"UPDATE session SET title = ?, updated = max(?, {LAST} + 1), json = ? WHERE id = ?",
        (*_columns(found), session),
    )
    return found


def family(db: sqlite3.Connection, session: str) -> list[Session]:
    """Return a session and all its descendants, children before their parents.

    Raises:
        UnknownSession: the session does not exist.
    """
    found = [get(db, session)]
    for ancestor in found:
        found.extend(children(db, ancestor.id))
    return found[::-1]


def children(db: sqlite3.Connection, session: str) -> list[Session]:
    """Return the direct children of a session, ordered by id, which is the newest first."""
    rows = db.execute(
        "SELECT json FROM session WHERE parent = ? AND NOT hidden ORDER BY id", (session,)
    )
    return [_decode(row[0]) for row in rows]


def delete(db: sqlite3.Connection, session: str, now_ms: int) -> list[Session]:
    """Remove a session and all its descendants, and record them in `removals`.

    A large session is only hidden here; `processor.store.upkeep` deletes its rows in slices, since
    a single transaction that deletes gigabytes would block all other jobs.

    Returns:
        The removed sessions, children before their parents.

    Raises:
        UnknownSession: the session does not exist.
    """
    removed = family(db, session)
    for one in removed:
        discard(db, one.id)
        if _is_small(db, one.id):
            db.execute("DELETE FROM session WHERE id = ?", (one.id,))
    removals.note(db, removed, now_ms)
    return removed


def _is_small(db: sqlite3.Connection, session: str) -> bool:
    """Return whether a session has no children, and is small enough for one transaction."""
    (children,) = db.execute(
        "SELECT EXISTS (SELECT 1 FROM session WHERE parent = ?)", (session,)
    ).fetchone()
    count, size = db.execute(
        "SELECT count(*), ifnull(sum(size), 0) FROM (SELECT length(p.json) AS size FROM message m "
        "JOIN part p ON p.message = m.id WHERE m.session = ? LIMIT ?)",
        (session, SMALL_PARTS),
    ).fetchone()
    return not children and bool(count < SMALL_PARTS and size < SMALL_BYTES)


def listing(
    db: sqlite3.Connection,
    directory: str | None,
    roots: bool,
    start: int | None,
    search: str | None,
    limit: int,
) -> list[int]:
    """Return the rowids of the sessions that fulfil all conditions, the last changed first.

    Args:
        db: the connection.
        directory: the sessions' directory; None: any.
        roots: only sessions without a parent.
        start: only sessions that changed at or after this time (Unix ms); None: any.
        search: a text in the sessions' titles, in upper or lower case; None: any.
        limit: how many sessions at most.
    """
    # Not ":directory IS NULL OR ...": with OR, SQLite would not use the index of directories.
    where = "" if directory is None else "directory = :directory AND "
    rows = db.execute(
        f"SELECT rowid FROM session WHERE {where}NOT hidden "
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


def page(
    db: sqlite3.Connection,
    directory: str | None,
    search: str | None,
    ascending: bool,
    after: tuple[int, str] | None,
    limit: int,
) -> tuple[list[tuple[int, Session]], bool]:
    """Return a page of sessions by the time of their last change; and whether more may follow.

    Each session comes with that time (Unix ms). A page ends early after `PAGE_BYTES` of JSON.

    Args:
        db: the connection.
        directory: the sessions' directory; None: any.
        search: a text in the sessions' titles, in upper or lower case; None: any.
        ascending: the session whose last change is the oldest comes first.
        after: time and id of the previous page's last session; None: the first page.
        limit: how many sessions at most.
    """
    where = "" if directory is None else "directory = :directory AND "
    step, order = (">", "") if ascending else ("<", " DESC")
    time, session = after or (None, None)
    rows = db.execute(
        f"SELECT updated, json FROM session WHERE {where}NOT hidden "
        "AND (:search IS NULL OR instr(lower(title), lower(:search))) "
        f"AND (:time IS NULL OR (updated, id) {step} (:time, :session)) "
        f"ORDER BY updated{order}, id{order} LIMIT :limit",
        {
            "directory": directory,
            "search": search,
            "time": time,
            "session": session,
            "limit": limit,
        },
    )
    found: list[tuple[int, Session]] = []
    left = PAGE_BYTES
    for time, json in rows:
        found.append((time, _decode(json)))
        left -= len(json)
        if left <= 0:
            return found, True
    return found, len(found) == limit


def some(db: sqlite3.Connection, rows: Sequence[int], size: int) -> tuple[list[bytes], list[int]]:
    """Return the JSON of the first sessions of `rows`, about `size` bytes, and the other rowids.

    Sessions that were removed meanwhile are left out.
    """
    found: list[bytes] = []
    for number, row in enumerate(rows):
        if size <= 0:
            return found, list(rows[number:])
        json = db.execute(
            "SELECT json FROM session WHERE rowid = ? AND NOT hidden", (row,)
        ).fetchone()
        if json is not None:
            found.append(json[0])
            size -= len(json[0])
    return found, []


def directories(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return the directories of sessions, each with the last change of its sessions (Unix ms).

    At most `MOST_DIRECTORIES` are returned; the directory with the last change comes first.
    """
    return db.execute(
        "SELECT directory, max(updated) AS last FROM session WHERE NOT hidden "
        "GROUP BY directory "
        "ORDER BY last DESC LIMIT ?",
        (MOST_DIRECTORIES,),
    ).fetchall()


def _columns(session: Session) -> tuple[str, int, bytes]:
    return session.title, session.time.updated, _encode(session)
