"""The events of an agent server: what they carry, how they travel, how they may be coalesced."""

from bus.events.decode import DeltaWire, MalformedEvent, event_of, from_json, from_value, growth_of
from bus.events.event import Delta, Event, Opaque
from bus.events.event_type import ENTITIES, TYPES, Entity, EventType, at, declare, type_of
from bus.events.policy import Policy

__all__ = [
    "ENTITIES",
    "TYPES",
    "Delta",
    "DeltaWire",
    "Entity",
    "Event",
    "EventType",
    "MalformedEvent",
    "Opaque",
    "Policy",
    "at",
    "declare",
    "event_of",
    "from_json",
    "from_value",
    "growth_of",
    "type_of",
]
