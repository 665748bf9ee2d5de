"""Declarations of event types: all that the code knows of a type, and the table of all types.

An event type says which *entity* its events are about: a session, or something that belongs to a
session. Where a value is in the properties of an event is written as a path: ``info.id`` is the
field ``id`` of the object ``info``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypedDict

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from bus.events.policy import Policy

Json = dict[str, Any]


class Entity(Struct, frozen=True):
    """A kind of entity.

    Attributes:
        name: of the kind; entities of one kind differ by their ids.
        rank: readers that catch up get entities of a lower rank first.
        owner: the kind of entity that entities of this kind belong to and are removed with, beside
            the session; None if there is none.
        asks: an entity of this kind waits for a person, so its session is not at rest.
        grows: events append text to fields of the entity.
        once: the event is sent once, and never again to a reader that begins later.
        fetched: an opencode returns the entity over REST.
    """

    name: str
    rank: int = 6
    owner: Entity | None = None
    asks: bool = False
    grows: bool = False
    once: bool = False
    fetched: bool = False

    def is_owned_by(self, kind: str) -> bool:
        """Return whether entities of kind `kind` own entities of this kind."""
        return self.owner is not None and self.owner.name == kind


class EventType(Struct, frozen=True, eq=False):
    """An event type. Give at most one of `snapshot_of`, `removal_of` and `text_for`.

    Attributes:
        name: on the wire.
        policy: how its events may be coalesced.
        snapshot_of: the kind of entity that an event contains as a whole.
        removal_of: the kind of entity that an event removes.
        text_for: the kind of entity to which an event appends text.
        value: path of the entity; empty: the properties are the entity.
        id: path of the entity's id; empty: a session has only one entity of this kind.
        owner: path of the id of the entity's owner.
        session: path of the session's id in events without a ``sessionID`` (opencode 1.2).
        provisional: takes the values at `judged_by` and returns whether a later event will replace
            this event; None: always with the policy ``LATEST``, else never.
        judged_by: paths of the values that `provisional` takes.
        upsert_as: for an event that creates an entity, the type of the upsert that is made of the
            event. A reader of the upsert may already know the entity, so the upsert must not
            create it.
        for_global: only readers of `/global/event` get its events.
        for_any_session: readers that follow only some sessions get its events too.
        ends_streams: an event ends the `/event` streams of its directory.
        read: returns the properties of an event, given as JSON; only the values at the paths
            above.

    Raises:
        ValueError: the arguments do not fit together.
    """

    name: str
    policy: Policy = Policy.BARRIER
    snapshot_of: Entity | None = None
    removal_of: Entity | None = None
    text_for: Entity | None = None
    value: str = ""
    id: str = ""
    owner: str = ""
    session: str = ""
    provisional: Callable[..., bool] | None = None
    judged_by: tuple[str, ...] = ()
    upsert_as: str = ""
    for_global: bool = False
    for_any_session: bool = False
    ends_streams: bool = False
    read: Callable[[bytes], Json] = msgspec.json.decode

    def __post_init__(self) -> None:
        about = [
            one for one in (self.snapshot_of, self.removal_of, self.text_for) if one is not None
        ]
        if len(about) > 1:
            raise ValueError(f"{self.name}: give one of snapshot_of, removal_of and text_for")
        if self.policy is Policy.LATEST and self.snapshot_of is None:
            raise ValueError(f"{self.name}: the policy LATEST needs snapshot_of=, an entity")
        if (self.policy is Policy.APPEND) != (self.text_for is not None):
            raise ValueError(f"{self.name}: the policy APPEND and text_for= need each other")
        if self.text_for is not None and not self.text_for.grows:
            raise ValueError(f"{self.name}: {self.text_for.name} is not declared with grows=True")
        if self.text_for is not None and (not self.id or "." in self.id + self.owner):
            raise ValueError(f"{self.name}: APPEND needs id= and owner= among the properties")
        owner = about[0].owner if about else None
        if (owner is not None) != bool(self.owner):
            raise ValueError(f"{self.name}: an entity with an owner needs owner=, and no other")
        if owner is not None and owner.owner is not None:
            raise ValueError(f"{self.name}: {owner.name}, which is owned itself, can own nothing")
        usual = ("sessionID", "part.sessionID", "info.sessionID")
        paths = {*usual, self.session, self.id, self.owner, *self.judged_by} - {""}
        force_setattr(self, "read", _reader(*sorted(paths)))

    @property
    def about(self) -> Entity | None:
        """The kind of entity that the events are about, None if there is none."""
        return self.snapshot_of or self.removal_of or self.text_for

    def session_in(self, properties: Any) -> str | None:
        """Return the id of the session in an event's properties, None if there is none."""
        return (
            id_at(properties, "sessionID")
            or id_at(properties, "part.sessionID")
            or id_at(properties, "info.sessionID")
            or (id_at(properties, self.session) if self.session else None)
        )

    def entity_in(self, properties: Any, session: str | None) -> str | None:
        """Return the entity's id; ``""`` if each session has only one; None if unknown."""
        if self.id:
            return id_at(properties, self.id)
        return "" if session and self.about is not None else None

    def is_provisional(self, properties: Any) -> bool:
        """Return whether a later event will replace the event with these properties."""
        if self.provisional is None:
            return self.policy is Policy.LATEST
        return self.provisional(*(at(properties, path) for path in self.judged_by))


def at(value: Any, path: str) -> Any:
    """Return the value at `path` in decoded JSON, None if there is none."""
    for name in _names(path):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def id_at(value: Any, path: str) -> str | None:
    """Return the id at `path`, None if there is none."""
    return as_id(at(value, path))


def as_id(value: Any) -> str | None:
    """Return an id that can be sent, None if `value` is not a string of valid Unicode."""
    if not isinstance(value, str):
        return None
    try:
        return value if value.isascii() or value.encode() else None
    except UnicodeEncodeError:
        return None


@cache
def _names(path: str) -> tuple[str, ...]:
    return tuple(path.split(".")) if path else ()


@cache
def _reader(*paths: str) -> Callable[[bytes], Json]:
    return msgspec.json.Decoder(_shape(paths)).decode


def _shape(paths: tuple[str, ...]) -> Any:
    """Return a type whose decoder reads the values at `paths`, and skips all others."""
    below: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        below.setdefault(name, []).extend([rest] if rest else [])
    shapes = {name: _shape(tuple(rest)) if rest else Any for name, rest in below.items()}
    make: Any = TypedDict
    return make("Shape", shapes, total=False)


UNKNOWN = EventType("")
"""The declaration that is used for every type that is not declared."""

TYPES: dict[str, EventType] = {}
"""All declared types, by name."""

ENTITIES: dict[str, Entity] = {}
"""The kinds of entities that declared types are about, by name."""


def declare(kind: EventType) -> str:
    """Add an event type to the table, and return its name.

    Raises:
        ValueError: another type, or another kind of entity, has the same name.
    """
    if kind.name in TYPES:
        raise ValueError(f"{kind.name} is declared twice")
    if (about := kind.about) is not None and ENTITIES.setdefault(about.name, about) != about:
        raise ValueError(f"{kind.name}: there is another kind of entity named {about.name}")
    TYPES[kind.name] = kind
    return kind.name


def type_of(name: str) -> EventType:
    """Return the declaration of a type, `UNKNOWN` if the type is not declared."""
    return TYPES.get(name, UNKNOWN)
