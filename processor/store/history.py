"""The messages that a model reads to answer a prompt: jobs that `Database` runs.

Rules:

1. The history is read from its end, and only as much as fits into the model's context, so that the
   cost does not grow with the session. A turn (a prompt and the steps of its answer) is taken
   whole or not at all; only of the prompt's own turn, the oldest steps may be left out. The newest
   step is always read, since the model would otherwise repeat its tool calls: if the step does not
   fit, the results of its calls are cut.
2. A finished summary replaces all messages before the message that `tail_start_id` of its
   compaction names.
3. An answer comes right after its own prompt. A prompt that waited meanwhile may be older than the
   answer, but the model had not seen this prompt when it wrote the answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec
from msgspec import UNSET, Struct, field

from bus.events.message import AssistantMessage, Message
from bus.events.part import (
    CompactionPart,
    FilePart,
    ReasoningPart,
    TextPart,
    ToolCompleted,
    ToolError,
    ToolPart,
)

Said = TextPart | FilePart | ToolPart | ReasoningPart
Place = tuple[int, str]

ASKED_FOR_SUMMARY = "What did we do so far?"
BYTES_PER_TOKEN = 4
_IMAGE_BYTES = 6000  # an image counts as this many bytes of text
_TOOL_BYTES = 60_000  # a tool call that has read an image counts as at most this
# A reasoning part is sent back to the model only if the model's provider has signed or encrypted
# it.
_SAID = (
    "(p.type IN ('text', 'file', 'tool') OR (p.type = 'reasoning' AND "
    "(instr(CAST(p.json AS TEXT), '\"signature\"') OR "
    "instr(CAST(p.json AS TEXT), '\"redactedData\"'))))"
)
_COST = (
    "CASE WHEN p.type IN ('file', 'tool') AND instr(CAST(p.json AS TEXT), '\"mime\":\"image/') "
    "THEN min(length(p.json), "
    f"CASE p.type WHEN 'file' THEN {_IMAGE_BYTES} ELSE {_TOOL_BYTES} END) "
    # Without the metadata of a tool call, which the model does not read and which may be long.
    "WHEN p.type = 'tool' THEN "
    + " + ".join(
        f"ifnull(length(CAST(json_extract(CAST(p.json AS TEXT), '$.state.{name}') AS BLOB)), 0)"
        for name in ("input", "output", "error")
    )
    + " ELSE length(p.json) END"
)
_MOST_FILE = 8 * 1024 * 1024
# What `load` reads: the JSON of a part, and the images of a tool call that are in the spool.
_SIZE = (
    "length(p.json) + CASE WHEN p.type = 'tool' AND instr(CAST(p.json AS TEXT), '\"outputID\"') "
    f"THEN ifnull((SELECT sum(min(max(json_extract(value, '$.size'), 0), {_MOST_FILE})) FROM "
    "json_each(CAST(p.json AS TEXT), '$.state.attachments')), 0) * 4 / 3 ELSE 0 END"
)
_LEAST_RESULT = 500  # so many bytes of each result are kept, even if the prompt alone does not fit

_decode_message: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_decode_answer = msgspec.json.Decoder(AssistantMessage).decode
_decode_said: msgspec.json.Decoder[Said] = msgspec.json.Decoder(Said)
_decode_compaction = msgspec.json.Decoder(CompactionPart).decode


class Utterance(Struct):
    """A message, and the parts of it that the model reads."""

    message: Message
    parts: list[Said]


class Window(Struct):
    """The messages that fit into the model's context.

    Attributes:
        messages: ids of the messages, in the order in which the model reads them.
        compaction: id of the message that requested the summary at the start; empty without one.
        size: bytes of JSON that `load` will read from the store.
        cost: the share of the context that the messages take, in bytes of text.
        older: how many turns before the prompt are among the messages.
        is_cut: older messages did not fit.
        cut_step: id of the newest step, if the results of its calls must be cut; else empty.
        step_room: how many bytes of text the step `cut_step` may have.
    """

    messages: list[str] = field(default_factory=list)
    compaction: str = ""
    size: int = 0
    cost: int = 0
    older: int = 0
    is_cut: bool = False
    cut_step: str = ""
    step_room: int = 0


def window(
    db: sqlite3.Connection, session: str, prompt: str, most: int, before: bool = False
) -> Window:
    """Choose the messages that a model reads to answer `prompt`; the newest turn is the prompt's.

    Args:
        db: the connection.
        session: id of the prompt's session.
        prompt: id of the prompt's message.
        most: how many bytes of text fit into the context of the model.
        before: leave out the prompt's own turn.
    """
    found = Window()
    turns: list[list[str]] = []
    last, bound = _place(db, prompt), (0, "")
    for at in _prompts(db, session):
        message = at[1]
        if (part := _compaction(db, message)) is not None:
            if not found.compaction and (summary := _summary(db, message)):
                found.compaction = message
                bound = _tail(db, session, part.tail_start_id, at) if part.tail_start_id else at
                _take(db, found, [message, summary])
            continue
        if at > last or (message == prompt and before):
            continue
        if message == prompt:
            turns.append([message, *_last_steps(db, found, message, most, bound)])
        elif at < bound:
            break
        else:
            turn = [message, *(answer for _, answer in _answers(db, message))]
            if found.cost + sum(_sizes(db, one)[1] for one in turn) > most:
                found.is_cut = True
                break
            _take(db, found, turn)
            turns.append(turn)
            found.older += 1
    if found.compaction:
        turns.append([found.compaction, str(_summary(db, found.compaction))])
    found.messages = [one for turn in reversed(turns) for one in turn]
    return found


def load(db: sqlite3.Connection, found: Window) -> list[Utterance]:
    """Read the messages of a window from the store; skip messages that were removed meanwhile."""
    rows = (
        (message, db.execute("SELECT json FROM message WHERE id = ?", (message,)).fetchone())
        for message in found.messages
    )
    said = [_utterance(db, message, row[0]) for message, row in rows if row is not None]
    for one in said:
        if one.message.id == found.compaction:
            asked = one.message
            part = TextPart(
                id="prt_", sessionID=asked.sessionID, messageID=asked.id, text=ASKED_FOR_SUMMARY
            )
            one.parts = [part]
        elif one.message.id == found.cut_step:
            _cut_results(one.parts, found.step_room)
    return said


def _cut_results(parts: list[Said], room: int) -> None:
    """Shorten the results of a step's tool calls to `room` bytes, in equal shares."""
    calls = [part for part in parts if isinstance(part, ToolPart)]
    room -= sum(len(part.text.encode()) for part in parts if isinstance(part, TextPart))
    room -= sum(len(msgspec.json.encode(call.state.input)) for call in calls)
    for call in calls:
        most = max(_LEAST_RESULT, room // len(calls))
        if isinstance(call.state, ToolCompleted):
            call.state.output = _beginning(call.state.output, most)
        elif isinstance(call.state, ToolError):
            call.state.error = _beginning(call.state.error, most)


def _beginning(text: str, most: int) -> str:
    data = text.encode(errors="replace")
    if len(data) <= most:
        return text
    head = data[:most].decode(errors="ignore")
    return (
        f"{head}\n\n...the other {len(data) - most} bytes are left out, because they do not fit "
        "into your context; ask for less at once..."
    )


def _prompts(db: sqlite3.Connection, session: str) -> Iterator[Place]:
    """Yield the positions (creation time, id) of a session's prompts, the newest first."""
    yield from db.execute(
        "SELECT created, id FROM message WHERE session = ? AND role = 'user' "
        "ORDER BY created DESC, id DESC",
        (session,),
    )


def _answers(db: sqlite3.Connection, message: str) -> list[Place]:
    """Return the positions of the finished steps of a prompt's answer, the first step first."""
    rows = db.execute(
        "SELECT created, id FROM message WHERE parent = ? AND NOT open ORDER BY created, id",
        (message,),
    )
    return rows.fetchall()


def _last_steps(
    db: sqlite3.Connection, found: Window, prompt: str, most: int, bound: Place
) -> list[str]:
    """Add a prompt, and as many of its newest steps as fit; return the ids of these steps.

    The newest step is always added (rule 1).
    """
    _take(db, found, [prompt])
    steps: list[str] = []
    for at in reversed(_answers(db, prompt)):
        _, cost = _sizes(db, at[1])
        if at < bound:
            break
        if found.cost + cost > most:
            if steps:
                found.is_cut = True
                break
            found.cut_step, found.step_room = at[1], most - found.cost
        _take(db, found, [at[1]])
        steps.insert(0, at[1])
    return steps


def _take(db: sqlite3.Connection, found: Window, messages: list[str]) -> None:
    for message in messages:
        size, cost = _sizes(db, message)
        found.size += size
        found.cost += cost


def _sizes(db: sqlite3.Connection, message: str) -> tuple[int, int]:
    """Return the bytes of JSON of a message, and its cost in the context in bytes of text."""
    size, cost = db.execute(
        f"SELECT ifnull(sum({_SIZE}), 0), ifnull(sum({_COST}), 0) FROM part p "
        f"WHERE p.message = ? AND {_SAID}",
        (message,),
    ).fetchone()
    (own,) = db.execute("SELECT length(json) FROM message WHERE id = ?", (message,)).fetchone()
    return size + own, cost


def _place(db: sqlite3.Connection, message: str) -> Place:
    row = db.execute("SELECT created, id FROM message WHERE id = ?", (message,)).fetchone()
    return (0, "") if row is None else (row[0], row[1])


def _tail(db: sqlite3.Connection, session: str, tail: str, compaction: Place) -> Place:
    """Return the position of `tail`, the first message that a summary does not replace.

    If `tail` was removed, return the position of the first later prompt: later ids are greater.
    """
    if (there := _place(db, tail)) > (0, ""):
        return there
    row: Place | None = db.execute(
        "SELECT created, id FROM message WHERE session = ? AND id > ? AND role = 'user' "
        "AND (created, id) < (?, ?) ORDER BY id LIMIT 1",
        (session, tail, *compaction),
    ).fetchone()
    return compaction if row is None else row


def _compaction(db: sqlite3.Connection, message: str) -> CompactionPart | None:
    row = db.execute(
        "SELECT json FROM part WHERE message = ? AND type = 'compaction'", (message,)
    ).fetchone()
    return None if row is None else _decode_compaction(row[0])


def _summary(db: sqlite3.Connection, compaction: str) -> str | None:
    """Return the id of the finished summary that a message requested; None if none exists yet."""
    rows = db.execute("SELECT json FROM message WHERE parent = ? AND NOT open", (compaction,))
    answers = [_decode_answer(json) for (json,) in rows.fetchall()]
    whole = [one.id for one in answers if one.error is UNSET and one.finish is not UNSET]
    return whole[-1] if whole else None


def _utterance(db: sqlite3.Connection, message: str, json: bytes) -> Utterance:
    rows = db.execute(
        f"SELECT json FROM part p WHERE message = ? AND {_SAID} ORDER BY rowid",
        (message,),
    )
    parts = [_decode_said.decode(row[0]) for row in rows]
    return Utterance(_decode_message.decode(json), parts)
