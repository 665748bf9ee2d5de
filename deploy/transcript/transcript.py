"""Turns the events of all sessions into the text that `weir tail` prints for a person.

The text of a message is printed as its deltas arrive. The last snapshot of a part repeats the text
of its deltas; only text that the deltas did not bring is then printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from acp_client.protocol.wire import Part
from bus.events import catalogue
from deploy.transcript.asks import AskLines
from deploy.transcript.bounded_dict import BoundedDict
from deploy.transcript.page import BOLD, DIM, PLAIN, RED, TranscriptPage
from deploy.transcript.tool_calls import ToolCallLines

Json = Mapping[str, Any]
_LINES = 10
_FAILED = "message.failed"
"""An event type for earlier messages, which no server sends: it stands for the error of a message.
On a stream, such an error arrives as ``session.error``."""


class Transcript:
    """Turns events into text, and remembers which text was printed already.

    Args:
        page: formats the entries.
        most_lines: how many lines of a tool's output or diff are shown; 0: all lines.
    """

    def __init__(self, page: TranscriptPage, most_lines: int = _LINES) -> None:
        self._page = page
        self._tools = ToolCallLines(page, most_lines)
        self._titles: BoundedDict[str, str] = BoundedDict()
        self._roles: BoundedDict[str, str] = BoundedDict()
        self._kinds: BoundedDict[str, str] = BoundedDict()
        self._written: BoundedDict[str, list[str]] = BoundedDict()
        self._done: BoundedDict[str, int] = BoundedDict()
        self._statuses: BoundedDict[str, str] = BoundedDict()
        self._stepped: BoundedDict[str, bool] = BoundedDict()
        asks = AskLines(page)
        self._rules: dict[str, Callable[[Json], Iterator[str]]] = {
            catalogue.SessionCreated.type: self._session_info,
            catalogue.SessionUpdated.type: self._session_info,
            catalogue.SessionDeleted.type: self._session_deleted,
            catalogue.SessionStatus.type: self._status,
            catalogue.SessionError.type: self._error,
            catalogue.MessageUpdated.type: self._message,
            _FAILED: self._message_failed,
            catalogue.PartUpdated.type: self._snapshot,
            catalogue.PartDelta.type: self._delta,
            catalogue.PermissionAsked.type: asks.permission,
            catalogue.PermissionReplied.type: asks.permission_replied,
            catalogue.QuestionAsked.type: asks.question,
            catalogue.QuestionReplied.type: asks.question_replied,
            catalogue.QuestionRejected.type: asks.question_rejected,
            catalogue.TodoUpdated.type: self._todos,
        }

    def text(self, event: Json) -> str:
        """Return the text to print for one event, ``{"type", "properties"}``; may be empty."""
        rule = self._rules.get(event.get("type", ""))
        if rule is None:
            return ""
        try:
            return "".join(rule(event.get("properties") or {}))
        except (KeyError, TypeError, AttributeError, ValueError, msgspec.ValidationError):
            said = f"({event['type']}, with unexpected properties)"
            return "".join(self._page.entry(None, said, DIM))

    def history(self, session: Json, messages: Sequence[Json]) -> str:
        """Return the text for the earlier messages of a session, as REST routes return them."""
        self._page.turn_back(_created(session))
        written = [
            self.text({"type": catalogue.SessionUpdated.type, "properties": {"info": session}})
        ]
        for message in messages:
            self._page.turn_back(_created(message.get("info")))
            written += map(self.text, _as_events(message))
        self._page.turn_on()
        return "".join(written)

    def _session_info(self, properties: Json) -> Iterator[str]:
        info = properties["info"]
        if self._titles.get(info["id"]) != info["title"]:
            self._titles[info["id"]] = info["title"]
            yield from self._page.entry(info["id"], f"# {info['title']}", DIM)

    def _session_deleted(self, properties: Json) -> Iterator[str]:
        yield from self._page.entry(properties["info"]["id"], "(deleted)", DIM)

    def _status(self, properties: Json) -> Iterator[str]:
        status = properties["status"]
        said = status["type"]
        if said == "retry":
            said = f"retry {status['attempt']}: {status['message']}"
        yield from self._turn_to(properties["sessionID"], said)

    def _turn_to(self, session: str, said: str) -> Iterator[str]:
        """Yield the new status of a session; nothing if opencode repeats the same status."""
        if self._statuses.get(session) != said:
            self._statuses[session], self._stepped[session] = said, False
            yield from self._page.entry(session, f"({said})", DIM)

    def _error(self, properties: Json) -> Iterator[str]:
        error = properties.get("error") or {}
        message = (error.get("data") or {}).get("message", "")
        said = f"! {error.get('name', 'error')}: {message}"
        yield from self._page.entry(properties.get("sessionID"), said, RED)

    def _message(self, properties: Json) -> Iterator[str]:
        info = properties["info"]
        self._roles[info["id"]] = info["role"]
        yield from ()

    def _message_failed(self, properties: Json) -> Iterator[str]:
        info = properties["info"]
        if info["id"] not in self._done:
            self._done[info["id"]] = 1
            yield from self._error({"sessionID": info["sessionID"], "error": info["error"]})

    def _snapshot(self, properties: Json) -> Iterator[str]:
        part = properties["part"]
        session, kind = part["sessionID"], part["type"]
        if kind == "tool":
            yield from self._tools.update(session, msgspec.convert(part, Part))
        elif kind in ("text", "reasoning"):
            yield from self._text(session, part)
        elif kind == "file" and self._done.get(part["id"]) is None:
            self._done[part["id"]] = 1
            said = f"> [{part.get('filename') or part.get('mime') or 'a file'}]"
            yield from self._page.entry(session, said, BOLD)
        elif kind == "step-start" and self._done.get(part["id"]) is None:
            self._done[part["id"]] = 1
            yield from self._step(session)

    def _step(self, session: str) -> Iterator[str]:
        """Yield ``(busy)`` when the model is asked again in a turn.

        When it is asked for the first time, the status of the session has shown that already.
        """
        if self._statuses.get(session) == "busy":
            if self._stepped.get(session):
                yield from self._page.entry(session, "(busy)", DIM)
            self._stepped[session] = True

    def _text(self, session: str, part: Json) -> Iterator[str]:
        text, ended = part["text"], "end" in (part.get("time") or {})
        if self._done.get(part["id"]) == hash(text):
            return  # after a reconnection, the server sends the part again
        self._kinds[part["id"]] = part["type"]
        if self._roles.get(part["messageID"]) == "user":
            yield from self._page.entry(session, f"> {text}", BOLD)
            self._finish(part["id"], hash(text))
            return
        yield from self._rest(session, part["id"], text, ended)
        if ended:
            self._finish(part["id"], hash(text))

    def _rest(self, session: str, part: str, text: str, ended: bool) -> Iterator[str]:
        written = "".join(self._written.get(part, []))
        if text.startswith(written) and part not in self._done:
            yield from self._grow(session, part, text[len(written) :])
        # opencode 1.2 removes white space at the end of the last snapshot, which is no change.
        elif ended and text != written.rstrip():
            yield from self._page.entry(session, "(text replaced)", DIM)
            self._written.pop(part, None)
            yield from self._grow(session, part, text)

    def _finish(self, part: str, state: int) -> None:
        """Forget a part that has ended, except `state`, which shows whether it comes again."""
        self._kinds.pop(part, None)
        self._written.pop(part, None)
        self._done[part] = state

    def _delta(self, properties: Json) -> Iterator[str]:
        if properties["field"] == "text":
            yield from self._grow(
                properties["sessionID"], properties["partID"], properties["delta"]
            )

    def _grow(self, session: str, part: str, text: str) -> Iterator[str]:
        if not text:
            return
        if part not in self._written:
            self._written[part] = []
        self._written[part].append(text)
        thought = self._kinds.get(part) == "reasoning"
        colour, mark = (DIM, "~ ") if thought else (PLAIN, "")
        yield from self._page.grow(session, part, text, colour, mark)

    def _todos(self, properties: Json) -> Iterator[str]:
        marks = {"completed": "x", "in_progress": ">"}
        todos = properties["todos"]
        lines = [f"[{marks.get(one['status'], ' ')}] {one['content']}" for one in todos]
        yield from self._page.entry(properties["sessionID"], "\n".join(lines) or "[no todos]")


def _created(entity: Any) -> object:
    time = entity.get("time") if isinstance(entity, dict) else None
    return time.get("created") if isinstance(time, dict) else None


def _as_events(message: Json) -> Iterator[Json]:
    info, parts = message.get("info"), message.get("parts")
    yield {"type": catalogue.MessageUpdated.type, "properties": {"info": info}}
    for part in parts if isinstance(parts, list) else []:
        yield {"type": catalogue.PartUpdated.type, "properties": {"part": part}}
    if isinstance(info, dict) and info.get("error"):
        yield {"type": _FAILED, "properties": {"info": info}}
