"""Messages as JSON, in pieces of a limited size: jobs that `Database` runs.

Theory of operation. A message that fits into a piece is read in one transaction. A larger message
is cut anywhere in the JSON of its info or of its parts, and the next piece continues at the same
byte, so that no process needs memory for the whole message. This works because JSON that is longer
than a piece does not change, with two exceptions. (1) While a text grows, the row of its part has
an empty text, and the text so far is in rows of the table `chunk`. Row and chunks together begin
with the same bytes as the final row. So a growing text is only cut between its chunks, and the
next piece can continue in the chunks or in the final row. (2) A running tool call may change at
any time, so it is never cut; its JSON is not much longer than a piece.
"""

from __future__ import annotations

import sqlite3

import msgspec
from msgspec import Struct

from processor.store import chunks, messages, sessions
from processor.store.messages import UnknownMessage

_NO_TEXT = b'"text":""'
_MESSAGES = (
    "SELECT m.id, m.created, m.rowid, length(m.json) + ifnull((SELECT sum(length(p.json) + "
    "ifnull((SELECT sum(length(text)) FROM chunk WHERE part = p.id), 0)) "
    "FROM part p WHERE p.message = m.id), 0), "
    "CASE WHEN length(m.json) <= ? THEN m.json END "
    "FROM message m WHERE m.session = ? AND (m.created, m.id) >= (?, ?) "
    "AND (m.created, m.id) <= (?, ?) ORDER BY m.created, m.id"
)
_PARTS = (
    # CASE, so that SQLite parses the JSON of tool calls only; with AND, it may parse all parts.
    "SELECT id, rowid, EXISTS (SELECT 1 FROM chunk WHERE part = part.id), CASE type WHEN 'tool' "
    "THEN json_extract(CAST(json AS TEXT), '$.state.status') IN ('pending', 'running') "
    "ELSE 0 END FROM part WHERE message = ? AND id >= ? ORDER BY id"
)
_WHOLE_PARTS = (
    "SELECT id, json, EXISTS (SELECT 1 FROM chunk WHERE part = part.id) "
    "FROM part WHERE message = ? ORDER BY id"
)

_encode = msgspec.json.Encoder().encode

Key = tuple[int, str]  # creation time (Unix ms) and id of a message


class Cut(Struct, array_like=True):
    """The position inside of a message at which the next piece begins.

    Attributes:
        part: id of the part in which the piece begins; None: in the message's info.
        at: how many bytes of the JSON of this part or info are in earlier pieces.
        chunk: if the part is a growing text: how many of its chunks are in earlier pieces.
    """

    part: str | None = None
    at: int = 0
    chunk: int = 0


class PieceStart(Struct, array_like=True):
    """Where the next piece begins, and the message with which the whole answer ends.

    Attributes:
        session: id of the session.
        first: the message with which the next piece begins.
        last: the last message of the whole answer.
        listed: the answer is a JSON list of messages, not a single message.
        cut: the position in `first`; None: the beginning of the message.
    """

    session: str
    first: Key
    last: Key
    listed: bool
    cut: Cut | None = None


class _Piece:
    """The JSON of a piece while it is filled; `left`: how many more bytes it may have."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._pieces: list[bytes] = []

    @property
    def left(self) -> int:
        return max(0, self._left)

    def put(self, data: bytes) -> None:
        self._pieces.append(data)
        self._left -= len(data)

    def json(self) -> bytes:
        return b"".join(self._pieces)


def of_session(
    db: sqlite3.Connection, session: str, limit: int | None, before: Key | None, size: int
) -> tuple[bytes, PieceStart | None, Key | None]:
    """Return the first piece of a list of messages: the newest `limit` before the key `before`.

    The list has the oldest message first. `size` is the size of the piece in bytes.

    Returns:
        The JSON, the start of the next piece (None: the list is complete), and the key of the
        list's first message if the session has older messages.

    Raises:
        UnknownSession: the session does not exist.
    """
    sessions.get(db, session)
    last = _nth_newest(db, session, before, 0)
    if last is None:
        return b"[]", None, None
    first = None if limit is None else _nth_newest(db, session, before, limit - 1)
    place = PieceStart(session, first or (0, ""), last, listed=True)
    piece = _Piece(size)
    piece.put(b"[")
    place_after = _fill(db, place, piece)
    older = first is not None and _nth_newest(db, session, first, 0) is not None
    return piece.json(), place_after, first if older else None


def of_message(
    db: sqlite3.Connection, session: str, message: str, size: int
) -> tuple[bytes, PieceStart | None]:
    """Return the first piece of a message, and the start of the next piece (None: complete).

    Raises:
        UnknownMessage: the session has no such message.
    """
    messages.info(db, session, message)
    row = messages.place(db, message)
    return onward(db, PieceStart(session, row, row, listed=False), size)


def onward(
    db: sqlite3.Connection, place: PieceStart, size: int
) -> tuple[bytes, PieceStart | None]:
    """Return the piece that begins at `place`, and the start of the next piece (None: complete).

    Raises:
        UnknownMessage: the message at `place`, or its session, was removed after the last piece.
    """
    messages.info(db, place.session, place.first[1] or place.last[1])
    piece = _Piece(size)
    after = _fill(db, place, piece)
    return piece.json(), after


def _nth_newest(
    db: sqlite3.Connection, session: str, before: Key | None, skipped: int
) -> Key | None:
    time, message = before or (None, None)
    row: Key | None = db.execute(
        "SELECT created, id FROM message WHERE session = ? "
        "AND (?2 IS NULL OR (created, id) < (?2, ?3)) "
        "ORDER BY created DESC, id DESC LIMIT 1 OFFSET ?4",
        (session, time, message, skipped),
    ).fetchone()
    return row


def _fill(db: sqlite3.Connection, place: PieceStart, piece: _Piece) -> PieceStart | None:
    """Add messages from `place` on until the piece is full; return where the next piece begins."""
    cut, here = place.cut, None
    rows = db.execute(_MESSAGES, (piece.left, place.session, *place.first, *place.last))
    for message, created, row, size, info in rows:
        if cut is not None and (created, message) != place.first:
            raise UnknownMessage(place.first[1])
        fits = cut is None and size <= piece.left
        if here is not None and not fits:
            return _further(place, (created, message))
        here = created, message
        if fits:
            _put_whole(db, message, info, piece)
        elif (rest := _put_some(db, message, row, cut or Cut(), piece)) is not None:
            return _further(place, here, rest)
        cut = None
        if place.listed:
            piece.put(b"]" if here == place.last else b",")
    if here != place.last:
        raise UnknownMessage(place.last[1])
    return None


def _further(place: PieceStart, first: Key, cut: Cut | None = None) -> PieceStart:
    """Return a copy of `place` that begins at the position `cut` of the message `first`."""
    return PieceStart(place.session, first, place.last, place.listed, cut)


def _put_whole(db: sqlite3.Connection, message: str, info: bytes, piece: _Piece) -> None:
    parts = [
        chunks.with_text(db, part, json) if grows else json
        for part, json, grows in db.execute(_WHOLE_PARTS, (message,)).fetchall()
    ]
    piece.put(b'{"info":' + info + b',"parts":[' + b",".join(parts) + b"]}")


def _put_some(
    db: sqlite3.Connection, message: str, row: int, cut: Cut, piece: _Piece
) -> Cut | None:
    """Add as much of a message as fits into the piece; return where the rest of it begins."""
    if cut.part is None:
        if cut.at == 0:
            piece.put(b'{"info":')
        if not _put_bytes(db, "message", row, cut, piece):
            return cut
        piece.put(b',"parts":[')
        cut = Cut("")
    for part, part_row, grows, runs in db.execute(_PARTS, (message, cut.part)).fetchall():
        if part != cut.part:
            piece.put(b"," if cut.part else b"")
            cut = Cut(part)
        if runs:
            if not piece.left:
                return cut
            (json,) = db.execute("SELECT json FROM part WHERE rowid = ?", (part_row,)).fetchone()
            piece.put(json)
            whole = True
        elif grows:
            whole = _put_growing(db, part_row, cut, piece)
        else:
            whole = _put_bytes(db, "part", part_row, cut, piece)
        if not whole:
            return cut
    piece.put(b"]}")
    return None


def _put_bytes(db: sqlite3.Connection, table: str, row: int, cut: Cut, piece: _Piece) -> bool:
    """Add the JSON of a row from `cut` on, as far as it fits; return whether it is complete."""
    with db.blobopen(table, "json", row, readonly=True) as blob:
        blob.seek(min(cut.at, len(blob)))
        data = blob.read(piece.left)
        size = len(blob)
    piece.put(data)
    cut.at += len(data)
    return cut.at >= size


def _put_growing(db: sqlite3.Connection, row: int, cut: Cut, piece: _Piece) -> bool:
    """Add the JSON of a growing text from `cut` on, cut between chunks; return if complete."""
    (json,) = db.execute("SELECT json FROM part WHERE rowid = ?", (row,)).fetchone()
    text_at = json.index(_NO_TEXT) + len(_NO_TEXT) - 1
    if cut.at == 0:
        piece.put(json[:text_at])
        cut.at = text_at
    found = db.execute(
        "SELECT position, text FROM chunk WHERE part = ? AND position >= ? ORDER BY position",
        (cut.part, cut.chunk),
    )
    for position, text in found:
        if not piece.left:
            return False
        data = _encode(text)[1:-1]
        piece.put(data)
        cut.at, cut.chunk = cut.at + len(data), position + 1
    piece.put(json[text_at:])
    return True
