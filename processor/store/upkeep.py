"""Background work on the database in short slices: jobs for `Database`.

1. Delete the rows of removed sessions (`purge`).
2. Make parts that an older weir has stored searchable (`index`).
3. Remove deleted words from the index of the search (`begin_merge`, then `merge`).
4. Give empty pages back to the file system (`shrink`).

Each job takes some milliseconds, and returns whether more work is left.
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
    """Delete some rows of a removed session."""
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
    """Make some older parts searchable, the newest first."""
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
    """Have `merge` rewrite the whole index: what was deleted is in the index until then."""
    return _merge(db, -_MERGE_PAGES)


def merge(db: sqlite3.Connection) -> bool:
    """Rewrite some pages of the index of the search."""
    return _merge(db, _MERGE_PAGES)


def _merge(db: sqlite3.Connection, pages: int) -> bool:
    before = db.total_changes
    db.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (pages,))
    return db.total_changes - before >= 2  # as FTS5 documents: else there was nothing to do


def shrink(db: sqlite3.Connection) -> bool:
    """Return some empty pages to the disk."""
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    if free < _LEAST_FREE_PAGES:
        return False
    for _ in range(min(free, _SHRINK_PAGES)):
        # One at a time: the module sqlite3 ends this statement after the first page.
        db.execute("PRAGMA incremental_vacuum(1)")
    (left,) = db.execute("PRAGMA freelist_count").fetchone()
    return bool(left < free)
