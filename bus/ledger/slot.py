"""Which entity an event is about, and whether the event contains or removes the entity."""

from __future__ import annotations

from bus.events import ENTITIES, Entity, Event, type_of

Slot = tuple[str, str]
"""An entity within its session: its kind, and its id (empty if a session has only one)."""


def snapshot_of(event: Event) -> Slot | None:
    """Return the entity that `event` contains as a whole, None if there is none."""
    return _slot(event, type_of(event.type).snapshot_of)


def ended(event: Event) -> Slot | None:
    """Return the entity that `event` removes, None if there is none."""
    return _slot(event, type_of(event.type).removal_of)


def kind_of(slot: Slot) -> Entity:
    """Return the kind of an entity."""
    return ENTITIES.get(slot[0]) or Entity(slot[0])


def _slot(event: Event, kind: Entity | None) -> Slot | None:
    return None if kind is None or event.entity is None else (kind.name, event.entity)
