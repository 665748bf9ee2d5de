"""The entity that an event is about, and its new value: healing compares this with REST."""

from __future__ import annotations

import math
from typing import Any

from msgspec import Struct

from bus import json
from bus.depth import TooDeep
from bus.events import Event, at, type_of
from bus.events.catalogue import SESSION, QuestionAsked
from bus.events.part import grows as part_grows

Json = dict[str, Any]

# Decoded JSON takes many times its size in memory.
_MOST_READ_BYTES = 4 * 1024 * 1024


class Subject(Struct, frozen=True):
    """An entity, and its new value.

    Attributes:
        kind: of the entity.
        id: of the entity; of its session if a session has only one entity of this kind.
        session: id of the entity's session.
        value: the new value, None if the entity was removed.
        message: id of the message that a part belongs to.
    """

    kind: str
    id: str
    session: str
    value: Any
    message: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """A key that is unique among the entities of all kinds."""
        return self.kind, self.id


def subject_of(event: Event, value: Any = None) -> Subject | None:
    """Return the entity and the value in `event`, None if there is none.

    Args:
        event: the event.
        value: the event's decoded JSON, None if it is not decoded yet.
    """
    kind = type_of(event.type)
    about, session, entity = kind.snapshot_of or kind.removal_of, event.sessionID, event.entity
    if about is None or session is None or entity is None:
        return None
    if about.owner is not None and event.owner is None:
        return None
    said = None
    if kind.snapshot_of is not None:
        try:
            said = at(_properties(event) if value is None else value["properties"], kind.value)
        except (ValueError, KeyError, TypeError):
            return None
        if said is None or (about is SESSION and at(said, "id") != session):
            return None  # an event of this type in a form that opencode does not send
    return Subject(about.name, entity or session, session, said, event.owner or "")


def _properties(event: Event) -> Json:
    """Return the properties of an event; only the ids if it is too large or nested too deep.

    The memory of such a value then differs from REST's value, so healing publishes it again.
    """
    data = event.json()
    if len(data) > _MOST_READ_BYTES:
        return _outline(event)
    try:
        properties: Json = json.decode(data)["properties"]
    except TooDeep:
        return _outline(event)
    return properties


def _outline(event: Event) -> Json:
    """Return properties with only the ids of an event."""
    value: Json = {"id": event.entity or event.sessionID, "sessionID": event.sessionID}
    place = type_of(event.type).value
    if place:
        return {place: value | {"messageID": event.owner}}
    return value | ({"questions": []} if event.type == QuestionAsked.type else {})


def grows(part: Json) -> bool:
    """Return whether a part is text that deltas may still append to."""
    return part_grows(part.get("type"), at(part, "time.end"))


def text_of(entity: Any) -> str:
    """Return the text of a part, empty if there is none."""
    text = at(entity, "text")
    return text if isinstance(text, str) else ""


def time_of(info: Json, name: str) -> int | None:
    """Return a time (ms) of a session or message: ``created``, ``updated``, ``completed``."""
    value = at(info, f"time.{name}")
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
