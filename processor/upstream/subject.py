"""The entity that an event is about, as far as memory, holes and healing need to know it."""

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

# Read, JSON takes many times its size in memory.
_MOST_READ_BYTES = 4 * 1024 * 1024


class Subject(Struct, frozen=True):
    """An entity, and its new value.

    Attributes:
        kind: of the entity.
        id: of the entity; of its session where the session has but one of the kind.
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


def subject_of(event: Event, value: Any = None) -> Subject | None:
    """Return what `event` says about an entity, None for an event that is about none.

    Args:
        event: as it travels.
        value: what its JSON says, None where that was not read.
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
            return None  # of a known name, but not the event known by it
    return Subject(about.name, entity or session, session, said, event.owner or "")


def _properties(event: Event) -> Json:
    """Return the properties of an event, an outline of them if it is too large or too deep.

    What is remembered of an outline differs from all that REST may tell, so that healing tells it.
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
    """Return properties that hold no more than the ids that travel beside an event."""
    value: Json = {"id": event.entity or event.sessionID, "sessionID": event.sessionID}
    place = type_of(event.type).value
    if place:
        return {place: value | {"messageID": event.owner}}
    return value | ({"questions": []} if event.type == QuestionAsked.type else {})


def grows(part: Json) -> bool:
    """Tell whether a part is text that deltas may still lengthen."""
    return part_grows(part.get("type"), at(part, "time.end"))


def text_of(entity: Any) -> str:
    """Return the text of a part, empty where an entity has none."""
    text = at(entity, "text")
    return text if isinstance(text, str) else ""


def time_of(info: Json, name: str) -> int | None:
    """Return a time (ms) of a session or message: ``created``, ``updated``, ``completed``."""
    value = at(info, f"time.{name}")
    return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
