"""The text of parts that a model or agent still writes: jobs that `Database` runs.

Each new piece of text is a row of its own (a chunk), so that the earlier text is not rewritten.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

Chunk = tuple[str, int, str]  # the part's id, the chunk's number from 0, its text


def append(db: sqlite3.Connection, chunks: Sequence[Chunk]) -> None:
    """Insert or replace chunks; skip the chunks of parts that do not exist."""
    db.executemany(
        "INSERT OR REPLACE INTO chunk (part, position, text) "
        "SELECT id, ?2, ?3 FROM part WHERE id = ?1",
        chunks,
    )


def text_of(db: sqlite3.Connection, part: str) -> str:
    """Return the saved text of a part that still grows."""
    return "".join(pieces_of(db, part))


def pieces_of(db: sqlite3.Connection, part: str) -> list[str]:
    """Return the saved pieces of a growing part's text, the first piece first."""
    rows = db.execute("SELECT text FROM chunk WHERE part = ? ORDER BY position", (part,))
    return [text for (text,) in rows]


def with_text(db: sqlite3.Connection, part: str, json: bytes) -> bytes:
    """Return the JSON of a part, with the saved chunks as its text if the part still grows."""
    text = text_of(db, part)
    if not text:
        return json
    fields = msgspec.json.decode(json)
    fields["text"] = text
    return msgspec.json.encode(fields)
