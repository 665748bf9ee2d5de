"""What an event says about which entity: as much as memory, holes and healing need to know."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from bus import json
from bus.depth import TooDeep
from bus.events import MessageUpdated, Opaque, QuestionAsked

Json = dict[str, Any]

# Read, JSON takes many times its size in memory.
_MOST_READ_BYTES = 4 * 1024 * 1024


class Subject(Struct, frozen=True):
    """An entity, and its new value.

    Attributes:
        kind: ``session``, ``status``, ``message``, ``part``, ``todos``, ``diff`` or ``request``.
        id: of the entity; of its session where it has no id of its own.
        session: the session it belongs to.
        value: what it is now, None once it is gone.
        message: the message it is a part of.
    """

    kind: str
    id: str
    session: str
    value: Any
    message: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Names the entity among all kinds."""
        return self.kind, self.id


def subject_of(event: Opaque, value: Any = None) -> Subject | None:
    """Return what `event` says about an entity, None for an event that is about none.

    Args:
        event: as it travels.
        value: what its JSON says, None where that was not read.
    """
    read = _READERS.get(event.type)
    if read is None:
        return None
    try:
        subject = read(_properties(event) if value is None else value["properties"])
        # What names something is text, and can be asked for and noted.
        "".join((subject.id, subject.session, subject.message)).encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # of a known name, but not the event known by it
    return subject


def _properties(event: Opaque) -> Json:
    """Return the properties of an event, an outline of them if it is too large or too deep.

    What is remembered of an outline differs from all that REST may tell, so that healing tells it.
    """
    if len(event.payload) > _MOST_READ_BYTES:
        return _outline(event)
    try:
        properties: Json = json.decode(event.payload)["properties"]
    except TooDeep:
        return _outline(event)
    return properties


def _outline(event: Opaque) -> Json:
    """Return the ids that travel beside an event, under their names in the properties."""
    ids = {"sessionID": event.sessionID, "messageID": event.messageID}
    about_message = event.type == MessageUpdated.type
    outline: Json = ids | {
        "id": event.requestID,
        "requestID": event.requestID,
        "partID": event.partID,
        "info": ids | {"id": event.messageID if about_message else event.sessionID},
        "part": ids | {"id": event.partID},
        "status": {},
        "todos": [],
        "diff": [],
    }
    return outline | ({"questions": []} if event.type == QuestionAsked.type else {})


def grows(part: Json) -> bool:
    """Tell whether a part is text that deltas may still lengthen."""
    if part.get("type") not in ("text", "reasoning"):
        return False
    times = part.get("time")
    return not isinstance(times, dict) or "end" not in times


def text_of(part: Json) -> str:
    """Return the text of a part, empty where it has none."""
    text = part.get("text")
    return text if isinstance(text, str) else ""


def time_of(info: Json, name: str) -> int | None:
    """Return a time (ms) of a session or message: ``created``, ``updated``, ``completed``."""
    times = info.get("time")
    value = times.get(name) if isinstance(times, dict) else None
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else None


def _session(p: Json) -> Subject:
    return Subject("session", p["info"]["id"], p["info"]["id"], p["info"])


def _session_deleted(p: Json) -> Subject:
    return Subject("session", p["info"]["id"], p["info"]["id"], None)


def _status(p: Json) -> Subject:
    return Subject("status", p["sessionID"], p["sessionID"], p["status"])


def _message(p: Json) -> Subject:
    return Subject("message", p["info"]["id"], p["info"]["sessionID"], p["info"])


def _message_removed(p: Json) -> Subject:
    return Subject("message", p["messageID"], p["sessionID"], None)


def _part(p: Json) -> Subject:
    part = p["part"]
    return Subject("part", part["id"], part["sessionID"], part, part["messageID"])


def _part_removed(p: Json) -> Subject:
    return Subject("part", p["partID"], p["sessionID"], None, p["messageID"])


def _todos(p: Json) -> Subject:
    return Subject("todos", p["sessionID"], p["sessionID"], p["todos"])


def _diff(p: Json) -> Subject:
    return Subject("diff", p["sessionID"], p["sessionID"], p["diff"])


def _asked(p: Json) -> Subject:
    return Subject("request", p["id"], p["sessionID"], p)


def _request_closed(p: Json) -> Subject:
    return Subject("request", p["requestID"], p["sessionID"], None)


_READERS: Mapping[str, Callable[[Json], Subject]] = {
    "session.created": _session,
    "session.updated": _session,
    "session.deleted": _session_deleted,
    "session.status": _status,
    "message.updated": _message,
    "message.removed": _message_removed,
    "message.part.updated": _part,
    "message.part.removed": _part_removed,
    "todo.updated": _todos,
    "session.diff": _diff,
    "permission.asked": _asked,
    "permission.replied": _request_closed,
    "question.asked": _asked,
    "question.replied": _request_closed,
    "question.rejected": _request_closed,
}
