"""A session's messages in the order in which a model must read them: a job for `Database`."""

from __future__ import annotations

import sqlite3

import msgspec
from msgspec import Struct

from bus.events.message import Message
from bus.events.part import FilePart, ReasoningPart, TextPart, ToolPart

Said = TextPart | FilePart | ToolPart | ReasoningPart
# Thoughts go back to the model only where the provider has signed the thoughts.
_SAID = (
    "(p.type IN ('text', 'file', 'tool') OR "
    "(p.type = 'reasoning' AND instr(CAST(p.json AS TEXT), '\"signature\"')))"
)

_decode_message: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_decode_said: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)


class Utterance(Struct):
    """A message and what of it the model reads."""

    message: Message
    parts: list[Said]


def size_upto(db: sqlite3.Connection, session: str, prompt: str) -> int:
    """Return an upper bound for the bytes of JSON that `upto` reads."""
    upto_it = "(created, id) <= (SELECT created, id FROM message WHERE id = :prompt)"
    (size,) = db.execute(
        "SELECT sum(length(m.json) + ifnull((SELECT sum(length(p.json)) FROM part p "
        f"WHERE p.message = m.id AND {_SAID}), 0)) FROM message m "
        f"WHERE m.session = :session AND (m.role = 'assistant' OR {upto_it})",
        {"session": session, "prompt": prompt},
    ).fetchone()
    return size or 0


def upto(db: sqlite3.Connection, session: str, prompt: str) -> list[Utterance]:
    """Return the messages that a model needs to answer `prompt`, which is the last of them.

    An answer comes right after its own prompt. A prompt that was queued meanwhile may be older
    than the answer, but the model had not seen it.
    """
    prompts = db.execute(
        "SELECT id, json FROM message WHERE session = :session AND role = 'user' "
        "AND (created, id) <= (SELECT created, id FROM message WHERE id = :prompt) "
        "ORDER BY created, id",
        {"session": session, "prompt": prompt},
    ).fetchall()
    said = []
    for message, json in prompts:
        said.append(_utterance(db, message, json))
        answers = db.execute(
            "SELECT id, json FROM message WHERE parent = ? AND NOT open ORDER BY created, id",
            (message,),
        )
        said.extend(_utterance(db, *row) for row in answers.fetchall())
    return said


def _utterance(db: sqlite3.Connection, message: str, json: bytes) -> Utterance:
    rows = db.execute(
        f"SELECT json FROM part p WHERE message = ? AND {_SAID} ORDER BY rowid",
        (message,),
    )
    parts = [_decode_said.decode(row[0]) for row in rows]
    return Utterance(_decode_message.decode(json), parts)
