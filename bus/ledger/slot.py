"""Which entity an event is about, and whether it tells all of it, or its end."""

from __future__ import annotations

import enum

from bus.events import (
    MessageRemoved,
    MessageUpdated,
    Opaque,
    PartRemoved,
    PartUpdated,
    PermissionAsked,
    PermissionReplied,
    QuestionAsked,
    QuestionRejected,
    QuestionReplied,
    SessionCreated,
    SessionDeleted,
    SessionDiff,
    SessionError,
    SessionStatus,
    SessionUpdated,
    TodoUpdated,
)


class EntityKind(enum.IntEnum):
    """Kinds of entities, in the order in which a session is told.

    Messages come before their parts, and a session's status last of all. An error is the last
    one of its session, and of no interest later.
    """

    SESSION = 0
    MESSAGE = 1
    PART = 2
    REQUEST = 3
    DIFF = 4
    TODOS = 5
    ERROR = 6
    STATUS = 7


Slot = tuple[EntityKind, str]
"""An entity within its session: its kind, and its id (empty where the session has but one)."""

_TOLD = {
    SessionCreated.type: EntityKind.SESSION,
    SessionUpdated.type: EntityKind.SESSION,
    SessionStatus.type: EntityKind.STATUS,
    SessionDiff.type: EntityKind.DIFF,
    SessionError.type: EntityKind.ERROR,
    TodoUpdated.type: EntityKind.TODOS,
    MessageUpdated.type: EntityKind.MESSAGE,
    PartUpdated.type: EntityKind.PART,
    PermissionAsked.type: EntityKind.REQUEST,
    QuestionAsked.type: EntityKind.REQUEST,
}
_ENDED = {
    SessionDeleted.type: EntityKind.SESSION,
    MessageRemoved.type: EntityKind.MESSAGE,
    PartRemoved.type: EntityKind.PART,
    PermissionReplied.type: EntityKind.REQUEST,
    QuestionReplied.type: EntityKind.REQUEST,
    QuestionRejected.type: EntityKind.REQUEST,
}


def told(event: Opaque) -> Slot | None:
    """Return the entity that `event` tells all of, None if it does no such thing."""
    return _slot(event, _TOLD)


def ended(event: Opaque) -> Slot | None:
    """Return the entity that `event` ends, None if it ends none."""
    return _slot(event, _ENDED)


def _slot(event: Opaque, kinds: dict[str, EntityKind]) -> Slot | None:
    kind = kinds.get(event.type)
    if kind is None:
        return None
    name = _name(event, kind)
    return None if name is None else (kind, name)


def _name(event: Opaque, kind: EntityKind) -> str | None:
    match kind:
        case EntityKind.MESSAGE:
            return event.messageID
        case EntityKind.PART:
            return event.partID
        case EntityKind.REQUEST:
            return event.requestID
        case _:
            return ""
