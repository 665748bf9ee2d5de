"""An event stream as text for a person: what is said as it grows, tools, status.

Events in, text out; the caller owns the terminal. Text is written once, as far as it is known:
what a delta brought is not written again when the closing snapshot repeats it, and what only a
snapshot brings is written then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

_REMEMBERED = 4096
_DIM, _BOLD, _RED, _GREEN, _PLAIN = "\x1b[2m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m"

Json = Mapping[str, Any]


class Transcript:
    """Turns events into text.

    Args:
        color: use ANSI colours.
    """

    def __init__(self, color: bool = False) -> None:
        self._color = color
        self._titles: dict[str, str] = {}
        self._roles: dict[str, str] = {}
        self._kinds: dict[str, str] = {}
        self._written: dict[str, str] = {}
        self._tools: dict[str, str] = {}
        self._done: dict[str, str | int] = {}
        self._session: str | None = None
        self._part: str | None = None
        self._rules: dict[str, Callable[[Json], Iterator[str]]] = {
            "session.created": self._session_info,
            "session.updated": self._session_info,
            "session.status": self._status,
            "session.error": self._error,
            "message.updated": self._message,
            "message.part.updated": self._snapshot,
            "message.part.delta": self._delta,
            "permission.asked": self._permission,
            "question.asked": self._question,
            "todo.updated": self._todos,
        }

    def text(self, event: Json) -> str:
        """Return what to write for one event, ``{"type", "properties"}``; often nothing."""
        rule = self._rules.get(event.get("type", ""))
        if rule is None:
            return ""
        try:
            return "".join(rule(event.get("properties") or {}))
        except (KeyError, TypeError, AttributeError):
            return "".join(self._line(None, f"({event['type']}, in a form unknown here)"))

    def _session_info(self, properties: Json) -> Iterator[str]:
        info = properties["info"]
        if self._titles.get(info["id"]) != info["title"]:
            self._titles[info["id"]] = info["title"]
            yield from self._line(info["id"], self._paint(_DIM, f"# {info['title']}"))

    def _status(self, properties: Json) -> Iterator[str]:
        status = properties["status"]
        said = status["type"]
        if said == "retry":
            said = f"retry {status['attempt']}: {status['message']}"
        yield from self._line(properties["sessionID"], self._paint(_DIM, f"({said})"))

    def _error(self, properties: Json) -> Iterator[str]:
        error = properties.get("error") or {}
        message = (error.get("data") or {}).get("message", "")
        said = f"! {error.get('name', 'error')}: {message}"
        yield from self._line(properties.get("sessionID"), self._paint(_RED, said))

    def _message(self, properties: Json) -> Iterator[str]:
        info = properties["info"]
        self._roles[info["id"]] = info["role"]
        if info["role"] == "assistant" and "completed" in info["time"]:
            self._roles.pop(info["id"])
        yield from ()

    def _snapshot(self, properties: Json) -> Iterator[str]:
        part = properties["part"]
        if part["type"] == "tool":
            yield from self._tool(part)
        elif part["type"] in ("text", "reasoning"):
            if self._done.get(part["id"]) == hash(part["text"]):
                return  # a server repeats what it holds when a reader comes back
            self._kinds[part["id"]] = part["type"]
            if self._roles.get(part["messageID"]) == "user":
                said = self._paint(_BOLD, f"> {part['text']}")
                yield from self._line(part["sessionID"], said)
                self._finish(part["id"], hash(part["text"]))
                return
            yield from self._rest(part)
            if "end" in part.get("time", {}):
                self._finish(part["id"], hash(part["text"]))

    def _rest(self, part: Json) -> Iterator[str]:
        written, text = self._written.get(part["id"], ""), part["text"]
        if text.startswith(written) and part["id"] not in self._done:
            yield from self._grow(part["sessionID"], part["id"], text[len(written) :])
        elif "end" in part.get("time", {}) and text != written.rstrip():  # opencode 1.2 trims
            yield from self._line(part["sessionID"], self._paint(_DIM, "(text replaced)"))
            self._written.pop(part["id"], None)
            yield from self._grow(part["sessionID"], part["id"], text)

    def _finish(self, part: str, state: str | int) -> None:
        """Forget what was needed of a part while it grew; remember how it ended."""
        for table in (self._kinds, self._written, self._tools):
            table.pop(part, None)
        self._done[part] = state
        if len(self._done) > _REMEMBERED:
            del self._done[next(iter(self._done))]

    def _delta(self, properties: Json) -> Iterator[str]:
        if properties["field"] == "text":
            yield from self._grow(
                properties["sessionID"], properties["partID"], properties["delta"]
            )

    def _grow(self, session: str, part: str, text: str) -> Iterator[str]:
        if not text:
            return
        if self._part != part:
            yield from self._turn_to(session)
            self._part = part
        self._written[part] = self._written.get(part, "") + text
        yield self._paint(_DIM, text) if self._kinds.get(part) == "reasoning" else text

    def _tool(self, part: Json) -> Iterator[str]:
        state = part["state"]
        if state["status"] in (self._tools.get(part["id"]), self._done.get(part["id"])):
            return
        self._tools[part["id"]] = state["status"]
        if state["status"] in ("completed", "error"):
            self._finish(part["id"], state["status"])
        title = state.get("title") or state.get("error") or ""
        said = f"* {part['tool']} {state['status']} {title}".rstrip()
        yield from self._line(part["sessionID"], self._paint(_GREEN, said))

    def _permission(self, properties: Json) -> Iterator[str]:
        said = f"? may {properties['permission']}: {', '.join(properties['patterns'])}"
        yield from self._line(properties["sessionID"], self._paint(_BOLD, said))

    def _question(self, properties: Json) -> Iterator[str]:
        for question in properties["questions"]:
            said = self._paint(_BOLD, f"? {question['question']}")
            yield from self._line(properties["sessionID"], said)

    def _todos(self, properties: Json) -> Iterator[str]:
        for todo in properties["todos"]:
            mark = {"completed": "x", "in_progress": ">"}.get(todo["status"], " ")
            yield from self._line(properties["sessionID"], f"[{mark}] {todo['content']}")

    def _line(self, session: str | None, text: str) -> Iterator[str]:
        yield from self._turn_to(session)
        yield f"{text}\n"

    def _turn_to(self, session: str | None) -> Iterator[str]:
        """End the text that was growing; say whose words follow when they are another's."""
        if self._part is not None:
            yield "\n"
            self._part = None
        if session is not None and session != self._session:
            self._session = session
            yield self._paint(_DIM, f"── {session} {self._titles.get(session, '')}".rstrip())
            yield "\n"

    def _paint(self, color: str, text: str) -> str:
        return f"{color}{text}{_PLAIN}" if self._color else text
