"""Makes events from REST's answers, in the form in which opencode would have sent them."""

from __future__ import annotations

from typing import Any

from bus import json
from bus.events import from_value
from bus.events.catalogue import (
    MESSAGE_REMOVED,
    PART_REMOVED,
    SESSION_DIFF,
    MessageUpdated,
    PartUpdated,
    PermissionAsked,
    PermissionReplied,
    QuestionAsked,
    QuestionRejected,
    QuestionReplied,
    SessionDeleted,
    SessionIdle,
    SessionStatus,
    SessionUpdated,
    TodoUpdated,
)
from bus.ids import Ids
from processor.clock import now_ms
from processor.upstream.frames import InstanceLocation, UpstreamFrame
from processor.upstream.subject import Json, subject_of


class Upserts:
    """Makes the events of one session; the values in them are REST's, unchanged."""

    def __init__(self, ids: Ids, session: str, place: InstanceLocation) -> None:
        self._ids = ids
        self._session = session
        self._place = place

    def session(self, info: Json) -> UpstreamFrame:
        return self._frame(SessionUpdated.type, info=info)

    def deleted(self, info: Json) -> UpstreamFrame:
        return self._frame(SessionDeleted.type, info=info)

    def status(self, status: Json) -> UpstreamFrame:
        return self._frame(SessionStatus.type, status=status)

    def idle(self) -> UpstreamFrame:
        """Return the event which says that a turn is over."""
        return self._frame(SessionIdle.type)

    def message(self, info: Json) -> UpstreamFrame:
        return self._frame(MessageUpdated.type, info=info)

    def message_removed(self, message: str) -> UpstreamFrame:
        return self._frame(MESSAGE_REMOVED, messageID=message)

    def part(self, part: Json) -> UpstreamFrame:
        return self._frame(PartUpdated.type, part=part, time=now_ms())

    def part_removed(self, message: str, part: str) -> UpstreamFrame:
        return self._frame(PART_REMOVED, messageID=message, partID=part)

    def todos(self, todos: list[Json]) -> UpstreamFrame:
        return self._frame(TodoUpdated.type, todos=todos)

    def diff(self, diff: list[Json]) -> UpstreamFrame:
        return self._frame(SESSION_DIFF, diff=diff)

    def asked(self, kind: str, request: Json) -> UpstreamFrame:
        """Return the event of a pending permission request or question."""
        asked = PermissionAsked if kind == "permission" else QuestionAsked
        return self._frame(asked.type, **request)

    def permission_closed(self, request: str) -> UpstreamFrame:
        """Return the event that closes a permission request; the reply is not known."""
        return self._frame(PermissionReplied.type, requestID=request)

    def question_closed(self, request: str, rejected: bool) -> UpstreamFrame:
        """Return the event that closes a question; the answers are not known."""
        closed = QuestionRejected if rejected else QuestionReplied
        return self._frame(closed.type, requestID=request)

    def _frame(self, event_type: str, /, **properties: Any) -> UpstreamFrame:
        event = {
            "id": self._ids.ascending("evt"),
            "type": event_type,
            "properties": {"sessionID": self._session, **properties},
        }
        made = from_value(event, json.encode(event))
        return UpstreamFrame(made, self._place, subject_of(made, event))
