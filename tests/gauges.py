"""Event types of a new kind of entity, declared as a contributor would declare them."""

import contextlib
from collections.abc import Iterator
from typing import Any

from bus.events import ENTITIES, TYPES, Entity, EventType, Policy, declare
from bus.events.catalogue import MESSAGE

Event = dict[str, Any]

GAUGE = Entity("gauge", grows=True)
LABEL = Entity("label", owner=MESSAGE, asks=True)
ALL = (
    EventType(
        "gauge.made", snapshot_of=GAUGE, value="gauge", id="gauge.id", upsert_as="gauge.moved"
    ),
    EventType("gauge.moved", Policy.LATEST, snapshot_of=GAUGE, value="gauge", id="gauge.id"),
    EventType("gauge.noted", Policy.APPEND, text_for=GAUGE, id="gaugeID"),
    EventType("gauge.removed", removal_of=GAUGE, id="gaugeID"),
    EventType("label.set", snapshot_of=LABEL, id="labelID", owner="messageID"),
    EventType("label.removed", removal_of=LABEL, id="labelID", owner="messageID"),
)


@contextlib.contextmanager
def declared() -> Iterator[None]:
    """Know gauges for a while."""
    for kind in ALL:
        declare(kind)
    try:
        yield
    finally:
        for kind in ALL:
            del TYPES[kind.name]
        for entity in (GAUGE, LABEL):
            del ENTITIES[entity.name]


def moved(name: str, level: int, session: str | None = "ses", **more: Any) -> Event:
    """Return a snapshot of a gauge."""
    gauge = {"id": name, "level": level, **more}
    return _event("gauge.moved", session, gauge=gauge)


def made(name: str, level: int, session: str = "ses") -> Event:
    """Return the creation of a gauge."""
    return {**moved(name, level, session), "type": "gauge.made"}


def label(kind: str, name: str, message: str, session: str = "ses") -> Event:
    """Return that a label of a message is ``set`` or ``removed``."""
    return _event(f"label.{kind}", session, labelID=name, messageID=message)


def noted(name: str, text: str, session: str | None = "ses", field: str = "note") -> Event:
    """Return text for a field of a gauge."""
    return _event("gauge.noted", session, gaugeID=name, field=field, delta=text)


def removed(name: str, session: str | None = "ses") -> Event:
    """Return the removal of a gauge."""
    return _event("gauge.removed", session, gaugeID=name)


def _event(name: str, session: str | None, **properties: Any) -> Event:
    about = {} if session is None else {"sessionID": session}
    return {"type": name, "properties": {**about, **properties}}
