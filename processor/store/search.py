"""Finds words in messages: a job that `Database` runs.

SQL triggers (`processor.store.schema`) keep the full-text index equal to the stored parts: a text
is found once it is complete, until its part is removed. Messages that a revert hides are left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from bus.found import FoundPage, TextMatch

_SNIPPET_WORDS = 24
_OF_SESSION = "json_extract(CAST(s.json AS TEXT), '$.revert.{}')"
_FOUND = f"""
    SELECT p.rowid, m.session, m.id, p.id, m.role, m.created, s.title, s.directory,
        snippet(search, 0, '', '', '…', {_SNIPPET_WORDS})
    FROM search JOIN part p ON p.rowid = search.rowid JOIN message m ON m.id = p.message
    JOIN session s ON s.id = m.session
    WHERE search MATCH :query AND search.rowid < :before AND NOT s.hidden
        AND (:session IS NULL OR m.session = :session)
        AND (:directory IS NULL OR s.directory = :directory)
        AND NOT EXISTS (
            SELECT 1 FROM message r WHERE r.id = {_OF_SESSION.format("messageID")}
            AND (m.created, m.id) >= (r.created, r.id)
            AND (m.id != r.id OR p.id >= ifnull({_OF_SESSION.format("partID")}, ''))
        )
    ORDER BY search.rowid DESC LIMIT :limit
"""
_LAST = 1 << 62


def find(
    db: sqlite3.Connection,
    words: Sequence[str],
    session: str | None,
    directory: str | None,
    before: int | None,
    limit: int,
) -> FoundPage:
    """Return the text parts that contain all `words`, the last stored part first.

    The last of `words` also matches longer words that begin with it.

    Args:
        db: the connection.
        words: at least one word.
        session: only parts of this session; None for all.
        directory: only parts of sessions in this directory; None for all.
        before: `FoundPage.next` of the previous page; None for the first page.
        limit: how many parts at most.
    """
    rows = db.execute(
        _FOUND,
        {
            "query": " ".join(map(_quoted, words)) + "*",
            "before": _LAST if before is None else before,
            "session": session,
            "directory": directory,
            "limit": limit + 1,
        },
    ).fetchall()
    (waiting,) = db.execute("SELECT upto FROM unsearched").fetchone()
    found = [TextMatch(*row[1:]) for row in rows[:limit]]
    more = str(rows[limit - 1][0]) if len(rows) > limit else None
    return FoundPage(found, more, complete=not waiting)


def _quoted(word: str) -> str:
    """Return a word in quotes, so that FTS5 does not read it as query syntax."""
    return '"' + word.replace('"', '""') + '"'
