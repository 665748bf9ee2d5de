"""The state of an ideal client, by the plainest possible rules.

This is the yardstick of every fold law, so it shares no code with weir and knows nothing of
merging, seqs or cursors. It follows what opencode's web client and TUI do:

1. A snapshot (``*.updated``, ``todo.updated``, ``session.diff``, ``session.status``) replaces.
2. A delta appends to the named field of a part the client holds; an unknown part ignores it.
3. A part of a message the client does not hold is dropped, as the web client does.
4. A removal takes everything below it along: a message its parts, a session all it had.
5. Occurrences (``session.error``, ``session.idle``, every type unknown here) are kept one by
   one, in order, since none of them may be lost or doubled; a removal does not undo them.
"""

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]
_OCCURRENCES = ("errors", "idles", "others")


class State:
    """What a client knows after the events it has applied."""

    def __init__(self) -> None:
        """Start as a client that has just connected."""
        self.sessions: dict[str, Json] = {}
        self.status: dict[str, Json] = {}
        self.messages: dict[str, dict[str, Json]] = {}
        """Session id to message id to message info."""
        self.parts: dict[str, dict[str, Json]] = {}
        """Message id to part id to part."""
        self.permissions: dict[str, Json] = {}
        """The pending ones, by request id; so are `questions`."""
        self.questions: dict[str, Json] = {}
        self.todos: dict[str, list[Json]] = {}
        self.diffs: dict[str, list[Json]] = {}
        self.errors: dict[str | None, list[Json | None]] = {}
        self.idles: dict[str, int] = {}
        self.others: list[Json] = []
        """Whole events of types without a rule, in order of arrival."""

    def apply(self, event: Json) -> None:
        """Take one ``{"type", "properties"}`` event, of the current or the 1.2.27 format."""
        rule = _RULES.get(event["type"])
        if rule is None:
            self.others.append(event)
        else:
            rule(self, event["properties"])

    def view(self) -> Json:
        """Everything known, as plain data to compare with ``==``; later events leave it alone."""
        flat = ("sessions", "status", "permissions", "questions", "todos", "diffs", "idles")
        view: Json = {name: dict(getattr(self, name)) for name in flat}
        view["messages"] = {key: dict(infos) for key, infos in self.messages.items() if infos}
        view["parts"] = {
            message_id: {part_id: dict(part) for part_id, part in parts.items()}
            for message_id, parts in self.parts.items()
        }
        view["errors"] = {key: list(errors) for key, errors in self.errors.items()}
        view["others"] = list(self.others)
        return view

    def messages_of(self, session_id: str) -> list[Json]:
        """What ``GET /session/{id}/message`` answers: ``[{"info", "parts"}]``, oldest first."""
        infos = self.messages.get(session_id, {}).values()
        ordered = sorted(infos, key=lambda info: (info["time"]["created"], info["id"]))
        return [{"info": info, "parts": self._parts_of(info["id"])} for info in ordered]

    def _parts_of(self, message_id: str) -> list[Json]:
        parts = self.parts.get(message_id, {})
        return [parts[part_id] for part_id in sorted(parts)]

    def _ignore(self, properties: Json) -> None:
        """Connection signals say nothing about the state."""

    def _session(self, properties: Json) -> None:
        self.sessions[properties["info"]["id"]] = properties["info"]

    def _session_deleted(self, properties: Json) -> None:
        session_id = properties["info"]["id"]
        for message_id in self.messages.pop(session_id, {}):
            self.parts.pop(message_id, None)
        for table in (self.sessions, self.status, self.todos, self.diffs):
            table.pop(session_id, None)
        for pending in (self.permissions, self.questions):
            for request_id, request in list(pending.items()):
                if request["sessionID"] == session_id:
                    del pending[request_id]

    def _session_status(self, properties: Json) -> None:
        self.status[properties["sessionID"]] = properties["status"]

    def _session_idle(self, properties: Json) -> None:
        session_id = properties["sessionID"]
        self.idles[session_id] = self.idles.get(session_id, 0) + 1

    def _session_error(self, properties: Json) -> None:
        self.errors.setdefault(properties.get("sessionID"), []).append(properties.get("error"))

    def _session_diff(self, properties: Json) -> None:
        self.diffs[properties["sessionID"]] = properties["diff"]

    def _todo(self, properties: Json) -> None:
        self.todos[properties["sessionID"]] = properties["todos"]

    def _message(self, properties: Json) -> None:
        info = properties["info"]
        self.messages.setdefault(info["sessionID"], {})[info["id"]] = info
        self.parts.setdefault(info["id"], {})

    def _message_removed(self, properties: Json) -> None:
        self.messages.get(properties["sessionID"], {}).pop(properties["messageID"], None)
        self.parts.pop(properties["messageID"], None)

    def _part(self, properties: Json) -> None:
        part = properties["part"]
        if part["messageID"] in self.parts:
            # A copy of its own: deltas change it, and the event belongs to the caller.
            self.parts[part["messageID"]][part["id"]] = dict(part)

    def _part_removed(self, properties: Json) -> None:
        self.parts.get(properties["messageID"], {}).pop(properties["partID"], None)

    def _part_delta(self, properties: Json) -> None:
        part = self.parts.get(properties["messageID"], {}).get(properties["partID"])
        if part is not None:
            field = properties["field"]
            part[field] = part.get(field, "") + properties["delta"]

    def _permission_asked(self, properties: Json) -> None:
        self.permissions[properties["id"]] = properties

    def _permission_replied(self, properties: Json) -> None:
        self.permissions.pop(properties["requestID"], None)

    def _question_asked(self, properties: Json) -> None:
        self.questions[properties["id"]] = properties

    def _question_closed(self, properties: Json) -> None:
        self.questions.pop(properties["requestID"], None)


_RULES = {
    "server.connected": State._ignore,
    "server.heartbeat": State._ignore,
    "session.created": State._session,
    "session.updated": State._session,
    "session.deleted": State._session_deleted,
    "session.status": State._session_status,
    "session.idle": State._session_idle,
    "session.error": State._session_error,
    "session.diff": State._session_diff,
    "todo.updated": State._todo,
    "message.updated": State._message,
    "message.removed": State._message_removed,
    "message.part.updated": State._part,
    "message.part.removed": State._part_removed,
    "message.part.delta": State._part_delta,
    "permission.asked": State._permission_asked,
    "permission.replied": State._permission_replied,
    "question.asked": State._question_asked,
    "question.replied": State._question_closed,
    "question.rejected": State._question_closed,
}


def fold(events: Iterable[Json]) -> State:
    """The state after `events`, from nothing."""
    state = State()
    for event in events:
        state.apply(event)
    return state


def state(events: Iterable[Json]) -> Json:
    """What a client holds, without what it was merely told once."""
    return {k: v for k, v in fold(events).view().items() if k not in _OCCURRENCES}
