"""Background work on the database in short slices, so that other jobs wait only milliseconds.

1. Delete the rows of removed sessions (`purge`).
2. Add parts that an older weir has stored to the search index (`index`).
3. Remove the words of deleted parts from the search index (`begin_merge`, then `merge`).
4. Give empty pages of the file back to the file system (`shrink`).

Each function is a job that `Database` runs, and returns whether more work may be left.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from processor.store.sessions import REMOVED, SMALL_PARTS

Chore = Callable[[sqlite3.Connection], bool]

_INDEX_PARTS = 200
_PURGE_BYTES = 512 * 1024
_MERGE_PAGES = 16
_SHRINK_PAGES = 200
_LEAST_FREE_PAGES = 64


def purge(db: sqlite3.Connection) -> bool:
    """Delete some rows of a removed session; return whether there was such a session."""
    row = db.execute(
        "SELECT id FROM session s WHERE hidden = ? AND NOT EXISTS "
        "(SELECT 1 FROM session WHERE parent = s.id) LIMIT 1",
        (REMOVED,),
    ).fetchone()
    if row is None:
        return False
    (session,) = row
    left, parts = _PURGE_BYTES, []
    rows = db.execute(
        "SELECT p.rowid, length(p.json) FROM message m JOIN part p ON p.message = m.id "
        "WHERE m.session = ? LIMIT ?",
        (session, SMALL_PARTS),
    )
    for part, size in rows:
        parts.append((part,))
        left -= size
        if left <= 0:
            break
    db.executemany("DELETE FROM part WHERE rowid = ?", parts)
    if not parts:
        db.execute("DELETE FROM session WHERE id = ?", (session,))
    return True


def index(db: sqlite3.Connection) -> bool:
    """Add some parts that are older than the search index to the index, the newest part first."""
    (upto,) = db.execute("SELECT upto FROM unsearched").fetchone()
    if not upto:
        return False
    rows = db.execute(
        "SELECT number, text FROM part_text WHERE number <= ? ORDER BY number DESC LIMIT ?",
        (upto, _INDEX_PARTS),
    ).fetchall()
    db.executemany("INSERT INTO search (rowid, text) VALUES (?, ?)", rows)
    rest = rows[-1][0] - 1 if len(rows) == _INDEX_PARTS else 0
    db.execute("UPDATE unsearched SET upto = ?", (rest,))
    return True


def begin_merge(db: sqlite3.Connection) -> bool:
    """Begin a rewrite of the whole search index, which removes the words of deleted parts."""
    return _merge(db, -_MERGE_PAGES)


def merge(db: sqlite3.Connection) -> bool:
    """Rewrite some more pages of the search index; return whether there was anything to do."""
    return _merge(db, _MERGE_PAGES)


def _merge(db: sqlite3.Connection, pages: int) -> bool:
    before = db.total_changes
    db.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (pages,))
    # The documentation of FTS5: if a merge makes less than two changes, no work was left.
    return db.total_changes - before >= 2


def shrink(db: sqlite3.Connection) -> bool:
    """Give some empty pages of the file back to the file system; return whether that worked."""
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    if free < _LEAST_FREE_PAGES:
        return False
    for _ in range(min(free, _SHRINK_PAGES)):
        # One page a call, since the module sqlite3 ends this statement after the first page.
        db.execute("PRAGMA incremental_vacuum(1)")
    (left,) = db.execute("PRAGMA freelist_count").fetchone()
    return bool(left < free)
