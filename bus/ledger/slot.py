"""Which entity an event is about, and whether the event holds all of the entity or ends it."""

from __future__ import annotations

from bus.events import ENTITIES, Entity, Event, type_of

Slot = tuple[str, str]
"""An entity within its session: its kind, and its id (empty where the session has but one)."""


def snapshot_of(event: Event) -> Slot | None:
    """Return the entity that `event` is a snapshot of, None if it is none."""
    return _slot(event, type_of(event.type).snapshot_of)


def ended(event: Event) -> Slot | None:
    """Return the entity that `event` ends, None if it ends none."""
    return _slot(event, type_of(event.type).removal_of)


def kind_of(slot: Slot) -> Entity:
    """Return the kind of an entity."""
    return ENTITIES.get(slot[0]) or Entity(slot[0])


def _slot(event: Event, kind: Entity | None) -> Slot | None:
    return None if kind is None or event.entity is None else (kind.name, event.entity)
