"""Event types of a new kind of entity, declared as a contributor would declare them."""

import contextlib
from collections.abc import Iterator
from typing import Any

from bus.events import ENTITIES, TYPES, Entity, EventType, Policy, declare

Event = dict[str, Any]

GAUGE = Entity("gauge", grows=True)
ALL = (
    EventType("gauge.moved", Policy.LATEST, tells=GAUGE, value="gauge", id="gauge.id"),
    EventType("gauge.noted", Policy.APPEND, grows=GAUGE, id="gaugeID"),
    EventType("gauge.removed", ends=GAUGE, id="gaugeID"),
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
        del ENTITIES[GAUGE.name]


def moved(name: str, level: int, session: str | None = "ses", **more: Any) -> Event:
    """Say all of a gauge."""
    gauge = {"id": name, "level": level, **more}
    return _event("gauge.moved", session, gauge=gauge)


def noted(name: str, text: str, session: str | None = "ses", field: str = "note") -> Event:
    """Append to a field of a gauge."""
    return _event("gauge.noted", session, gaugeID=name, field=field, delta=text)


def removed(name: str, session: str | None = "ses") -> Event:
    """Say that a gauge is gone."""
    return _event("gauge.removed", session, gaugeID=name)


def _event(name: str, session: str | None, **properties: Any) -> Event:
    about = {} if session is None else {"sessionID": session}
    return {"type": name, "properties": {**about, **properties}}
