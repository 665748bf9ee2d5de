"""The open turns of agents: jobs for `Database`.

After a kill they have exactly the effects of all acknowledged lines. The next processor continues
them, once their agent returns.
"""

from __future__ import annotations

import sqlite3

import msgspec
from msgspec import Struct, field

from bus.agent_lines import ReplyWork
from bus.events.catalogue import PermissionAsked, QuestionAsked
from bus.events.message import AssistantMessage
from bus.events.part import Part, ReasoningPart, TextPart, TokenCounts, ToolPart
from processor.store import chunks, messages

Asked = PermissionAsked | QuestionAsked


class Progress(Struct):
    """The values that an agent has set for its turn as a whole.

    Attributes:
        tokens: of the turn so far.
        cost: of the turn so far in US dollars; an int stays an int.
        deadline_ms: when the turn ends with an error (Unix time); 0: never.
        allowed_s: the time from the deadline's line to the deadline.
    """

    tokens: TokenCounts = field(default_factory=TokenCounts.none)
    cost: int | float = 0
    deadline_ms: int = 0
    allowed_s: float = 0


class LeftAsk(Struct):
    """An ask of a turn, its id in lines, and the person's answer."""

    asked: Asked
    name: str
    reply: ReplyWork | None


class OpenTurn(Struct):
    """A turn that was left open.

    Attributes:
        prompt: id of its prompt.
        session: of the turn.
        agent: the agent that answers.
        epoch: of the process that has begun the turn; 0 for a prompt of a client.
        name: id of the turn in lines.
        answer: None if the turn waited for its session.
        parts: of the answer; the text of growing parts is in `texts`.
        texts: pieces of a growing part's text, or of a tool call's output, by the part's id.
        asks: of the turn.
    """

    prompt: str
    session: str
    agent: str
    epoch: int
    name: str
    progress: Progress
    answer: AssistantMessage | None
    parts: list[Part]
    texts: dict[str, list[str]]
    asks: list[LeftAsk]

    @property
    def is_own(self) -> bool:
        """Whether the agent has begun the turn itself."""
        return self.epoch > 0


_encode = msgspec.json.Encoder().encode
_decode_progress = msgspec.json.Decoder(Progress).decode
_decode_answer = msgspec.json.Decoder(AssistantMessage).decode
_decode_permission = msgspec.json.Decoder(PermissionAsked).decode
_decode_question = msgspec.json.Decoder(QuestionAsked).decode
_decode_reply = msgspec.json.Decoder(ReplyWork).decode


def put(db: sqlite3.Connection, prompt: str, agent: str, epoch: int, name: str) -> None:
    """Note that a turn is open, unless this is already noted."""
    db.execute(
        "INSERT OR IGNORE INTO agent_turn (prompt, agent, epoch, name) VALUES (?, ?, ?, ?)",
        (prompt, agent, epoch, name),
    )


def put_progress(db: sqlite3.Connection, prompt: str, progress: Progress) -> None:
    """Save the values that an agent has set for its turn."""
    db.execute("UPDATE agent_turn SET progress = ? WHERE prompt = ?", (_encode(progress), prompt))


def append_output(db: sqlite3.Connection, part: str, position: int, text: str) -> None:
    """Save new output of a tool call."""
    db.execute("INSERT OR REPLACE INTO output VALUES (?, ?, ?)", (part, position, text))


def put_ask(db: sqlite3.Connection, prompt: str, name: str, asked: Asked) -> None:
    """Save an ask that waits for a person; if it is already saved, it keeps its reply."""
    db.execute(
        "INSERT OR IGNORE INTO ask (id, prompt, name, json) VALUES (?, ?, ?, ?)",
        (asked.id, prompt, name, _encode(asked)),
    )


def put_reply(db: sqlite3.Connection, ask: str, reply: ReplyWork) -> None:
    """Save a person's answer."""
    db.execute("UPDATE ask SET reply = ? WHERE id = ?", (_encode(reply), ask))


def end(db: sqlite3.Connection, prompt: str) -> None:
    """Note that a turn is over."""
    db.execute(
        "DELETE FROM output WHERE part IN (SELECT p.id FROM part p JOIN message m "
        "ON m.id = p.message WHERE m.parent = ?)",
        (prompt,),
    )
    db.execute("DELETE FROM agent_turn WHERE prompt = ?", (prompt,))


def left(db: sqlite3.Connection) -> list[OpenTurn]:
    """Return the turns that the last processor has left open, in the order of their prompts."""
    rows = db.execute(
        "SELECT t.prompt, m.session, t.agent, t.epoch, t.name, t.progress FROM agent_turn t "
        "JOIN message m ON m.id = t.prompt JOIN session s ON s.id = m.session AND NOT s.hidden "
        "ORDER BY m.created, m.id"
    ).fetchall()
    return [_left(db, *row) for row in rows]


def _left(
    db: sqlite3.Connection,
    prompt: str,
    session: str,
    agent: str,
    epoch: int,
    name: str,
    progress: bytes | None,
) -> OpenTurn:
    row = db.execute("SELECT json FROM message WHERE parent = ? AND open", (prompt,)).fetchone()
    answer = None if row is None else _decode_answer(row[0])
    parts = [] if answer is None else messages.parts_of(db, answer.id)
    return OpenTurn(
        prompt,
        session,
        agent,
        epoch,
        name,
        Progress() if progress is None else _decode_progress(progress),
        answer,
        parts,
        {part.id: _texts(db, part) for part in parts},
        _asks(db, prompt),
    )


def _texts(db: sqlite3.Connection, part: Part) -> list[str]:
    if isinstance(part, TextPart | ReasoningPart):
        return chunks.pieces_of(db, part.id)
    if not isinstance(part, ToolPart):
        return []
    rows = db.execute("SELECT text FROM output WHERE part = ? ORDER BY position", (part.id,))
    return [text for (text,) in rows]


def _asks(db: sqlite3.Connection, prompt: str) -> list[LeftAsk]:
    rows = db.execute("SELECT id, name, json, reply FROM ask WHERE prompt = ?", (prompt,))
    return [
        LeftAsk(decoded_ask(ask, json), name, None if reply is None else _decode_reply(reply))
        for ask, name, json, reply in rows.fetchall()
    ]


def decoded_ask(ask: str, json: bytes) -> Asked:
    """Return an ask as it was saved."""
    return _decode_permission(json) if ask.startswith("per") else _decode_question(json)
