"""Which entity an event is about, and whether it tells all of it, or its end."""

from __future__ import annotations

import enum
from collections.abc import Callable

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


class Kind(enum.IntEnum):
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


Slot = tuple[Kind, str]
"""An entity within its session: its kind, and its id (empty where the session has but one)."""

_Id = Callable[[Opaque], str | None]


def _of_session(_event: Opaque) -> str:
    return ""


def _of_message(event: Opaque) -> str | None:
    return event.messageID


def _of_part(event: Opaque) -> str | None:
    return event.partID


def _of_request(event: Opaque) -> str | None:
    return event.requestID


_TOLD: dict[str, tuple[Kind, _Id]] = {
    SessionCreated.type: (Kind.SESSION, _of_session),
    SessionUpdated.type: (Kind.SESSION, _of_session),
    SessionStatus.type: (Kind.STATUS, _of_session),
    SessionDiff.type: (Kind.DIFF, _of_session),
    SessionError.type: (Kind.ERROR, _of_session),
    TodoUpdated.type: (Kind.TODOS, _of_session),
    MessageUpdated.type: (Kind.MESSAGE, _of_message),
    PartUpdated.type: (Kind.PART, _of_part),
    PermissionAsked.type: (Kind.REQUEST, _of_request),
    QuestionAsked.type: (Kind.REQUEST, _of_request),
}
_ENDED: dict[str, tuple[Kind, _Id]] = {
    SessionDeleted.type: (Kind.SESSION, _of_session),
    MessageRemoved.type: (Kind.MESSAGE, _of_message),
    PartRemoved.type: (Kind.PART, _of_part),
    PermissionReplied.type: (Kind.REQUEST, _of_request),
    QuestionReplied.type: (Kind.REQUEST, _of_request),
    QuestionRejected.type: (Kind.REQUEST, _of_request),
}


def told(event: Opaque) -> Slot | None:
    """Return the entity that `event` tells all of, None if it does no such thing."""
    return _slot(event, _TOLD)


def ended(event: Opaque) -> Slot | None:
    """Return the entity that `event` ends, None if it ends none."""
    return _slot(event, _ENDED)


def _slot(event: Opaque, table: dict[str, tuple[Kind, _Id]]) -> Slot | None:
    entry = table.get(event.type)
    if entry is None:
        return None
    kind, id_of = entry
    name = id_of(event)
    return None if name is None else (kind, name)
