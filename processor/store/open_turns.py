"""The turns that the user's own agents have not finished: jobs that `Database` runs.

If the processor is killed, the saved turns have exactly the effects of all lines that it had
acknowledged to the agents. The next processor continues a turn once its agent connects again.
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
        tokens: how many tokens the turn has used so far.
        cost: the cost of the turn so far in US dollars; an int stays an int.
        deadline_ms: when the turn ends with an error (Unix time in ms); 0: never.
        allowed_s: how many seconds the agent allowed until the deadline when it set the deadline.
    """

    tokens: TokenCounts = field(default_factory=TokenCounts.none)
    cost: int | float = 0
    deadline_ms: int = 0
    allowed_s: float = 0


class LeftAsk(Struct):
    """A permission request or question of a turn that was left open.

    Attributes:
        asked: the event that was published for the ask.
        name: the id that the agent uses for the ask in its lines.
        reply: the person's answer; None before the answer.
    """

    asked: Asked
    name: str
    reply: ReplyWork | None


class OpenTurn(Struct):
    """A turn that the last processor left open.

    Attributes:
        prompt: id of the turn's prompt.
        session: id of the turn's session.
        agent: name of the agent that answers.
        epoch: the agent's epoch if the agent has begun the turn itself; 0 for a client's prompt.
        name: the id that the agent uses for the turn in its lines.
        progress: the values that the agent has set for the turn.
        answer: the unfinished answer; None if the turn waited for other turns of its session.
        parts: the parts of the answer; the text of growing parts is in `texts`.
        texts: pieces of a growing part's text, or of a tool call's output, by the part's id.
        asks: the permission requests and questions of the turn.
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
        """Whether the agent has begun the turn itself, without a client's prompt."""
        return self.epoch > 0


_encode = msgspec.json.Encoder().encode
_decode_progress = msgspec.json.Decoder(Progress).decode
_decode_answer = msgspec.json.Decoder(AssistantMessage).decode
_decode_permission = msgspec.json.Decoder(PermissionAsked).decode
_decode_question = msgspec.json.Decoder(QuestionAsked).decode
_decode_reply = msgspec.json.Decoder(ReplyWork).decode


def put(db: sqlite3.Connection, prompt: str, agent: str, epoch: int, name: str) -> None:
    """Save that a turn is open, unless this is already saved."""
    db.execute(
        "INSERT OR IGNORE INTO agent_turn (prompt, agent, epoch, name) VALUES (?, ?, ?, ?)",
        (prompt, agent, epoch, name),
    )


def put_progress(db: sqlite3.Connection, prompt: str, progress: Progress) -> None:
    """Save the values that an agent has set for its turn as a whole."""
    db.execute("UPDATE agent_turn SET progress = ? WHERE prompt = ?", (_encode(progress), prompt))


def append_output(db: sqlite3.Connection, part: str, position: int, text: str) -> None:
    """Save new output of a tool call: the piece with number `position`."""
    db.execute("INSERT OR REPLACE INTO output VALUES (?, ?, ?)", (part, position, text))


def put_ask(db: sqlite3.Connection, prompt: str, name: str, asked: Asked) -> None:
    """Save a permission request or question (ask) of a turn; a saved ask keeps its reply."""
    db.execute(
        "INSERT OR IGNORE INTO ask (id, prompt, name, json) VALUES (?, ?, ?, ?)",
        (asked.id, prompt, name, _encode(asked)),
    )


def put_reply(db: sqlite3.Connection, ask: str, reply: ReplyWork) -> None:
    """Save a person's answer to a permission request or question."""
    db.execute("UPDATE ask SET reply = ? WHERE id = ?", (_encode(reply), ask))


def end(db: sqlite3.Connection, prompt: str) -> None:
    """Delete the saved state of a turn that is over; its messages stay."""
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
    """Decode the JSON of a permission request (if its id begins with `per`) or of a question."""
    return _decode_permission(json) if ask.startswith("per") else _decode_question(json)
