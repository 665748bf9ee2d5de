"""Makes events from REST's answers, in the form in which an opencode would have sent them."""

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
    """Makes the events of one session; their content stays as REST gave it."""

    def __init__(self, ids: Ids, session: str, place: InstanceLocation) -> None:
        self._ids = ids
        self._session = session
        self._place = place

    def session(self, info: Json) -> UpstreamFrame:
        """Say what the session is now."""
        return self._frame(SessionUpdated.type, info=info)

    def deleted(self, info: Json) -> UpstreamFrame:
        """Say that the session is gone."""
        return self._frame(SessionDeleted.type, info=info)

    def status(self, status: Json) -> UpstreamFrame:
        """Say what the session is doing."""
        return self._frame(SessionStatus.type, status=status)

    def idle(self) -> UpstreamFrame:
        """Say that a turn is over."""
        return self._frame(SessionIdle.type)

    def message(self, info: Json) -> UpstreamFrame:
        """Say what a message is now."""
        return self._frame(MessageUpdated.type, info=info)

    def message_removed(self, message: str) -> UpstreamFrame:
        """Say that a message is gone."""
        return self._frame(MESSAGE_REMOVED, messageID=message)

    def part(self, part: Json) -> UpstreamFrame:
        """Say what a part is now."""
        return self._frame(PartUpdated.type, part=part, time=now_ms())

    def part_removed(self, message: str, part: str) -> UpstreamFrame:
        """Say that a part is gone."""
        return self._frame(PART_REMOVED, messageID=message, partID=part)

    def todos(self, todos: list[Json]) -> UpstreamFrame:
        """Say what the todo list is now."""
        return self._frame(TodoUpdated.type, todos=todos)

    def diff(self, diff: list[Json]) -> UpstreamFrame:
        """Say what has changed in the files of the session."""
        return self._frame(SESSION_DIFF, diff=diff)

    def asked(self, kind: str, request: Json) -> UpstreamFrame:
        """Ask for a permission or an answer."""
        asked = PermissionAsked if kind == "permission" else QuestionAsked
        return self._frame(asked.type, **request)

    def permission_closed(self, request: str) -> UpstreamFrame:
        """Say that a permission is asked for no more; the reply is not known, and not said."""
        return self._frame(PermissionReplied.type, requestID=request)

    def question_closed(self, request: str, rejected: bool) -> UpstreamFrame:
        """Say that a question is asked no more; the answers are not known, and not said."""
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
