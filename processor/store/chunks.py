"""The text of growing parts in the database: rows that are appended while a part grows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

Chunk = tuple[str, int, str]  # part, position from 0, text


def append(db: sqlite3.Connection, chunks: Sequence[Chunk]) -> None:
    """Store chunks, and replace those that exist; chunks of unknown parts are left out."""
    db.executemany(
        "INSERT OR REPLACE INTO chunk (part, position, text) "
        "SELECT id, ?2, ?3 FROM part WHERE id = ?1",
        chunks,
    )


def text_of(db: sqlite3.Connection, part: str) -> str:
    """Return the saved text of a growing part."""
    return "".join(pieces_of(db, part))


def pieces_of(db: sqlite3.Connection, part: str) -> list[str]:
    """Return the saved pieces of a growing part, by position."""
    rows = db.execute("SELECT text FROM chunk WHERE part = ? ORDER BY position", (part,))
    return [text for (text,) in rows]


def with_text(db: sqlite3.Connection, part: str, json: bytes) -> bytes:
    """Return the JSON of a part with its text so far."""
    text = text_of(db, part)
    if not text:
        return json
    fields = msgspec.json.decode(json)
    fields["text"] = text
    return msgspec.json.encode(fields)
