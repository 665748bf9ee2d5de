"""Turns the bytes of a stream into the text that a client shows."""

from __future__ import annotations

import hashlib
from typing import Any

from bus import json
from bus.events.catalogue import MessageUpdated, PartDelta, PartUpdated
from bus.sse import EventStreamParser
from deploy.bench.response_body import ResponseBody


class Received:
    """The state of one client: the answers in all sessions.

    Attributes:
        frames: how many events so far.
    """

    def __init__(self) -> None:
        self.frames = 0
        self._body = ResponseBody()
        self._parser = EventStreamParser()
        self._roles: dict[str, str] = {}
        self._parts: dict[str, dict[str, Any]] = {}

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take the next bytes of the connection; return the events that they complete.

        Raises:
            NotAStream: the bytes are not those of a stream.
        """
        events = []
        for event in self._parser.feed(self._body.feed(data)):
            wire = json.decode(event.data)
            events.append(wire.get("payload", wire))
            self._apply(events[-1])
            self.frames += 1
        return events

    def text(self, session: str) -> str:
        """Return the text that a client shows for the answers in a session."""
        parts = sorted(
            (part["messageID"], part["id"], part["text"])
            for part in self._parts.values()
            if part["sessionID"] == session and part["type"] == "text"
        )
        return "".join(
            text for message, _, text in parts if self._roles.get(message) == "assistant"
        )

    def forget(self) -> None:
        """Start again with the next event: the texts of hundreds of clients take gigabytes."""
        self._roles, self._parts = {}, {}

    def _apply(self, event: dict[str, Any]) -> None:
        kind, properties = event["type"], event.get("properties", {})
        if kind == PartDelta.type:
            part = self._parts.get(properties["partID"])
            if part is not None:
                field = properties["field"]
                part[field] = part.get(field, "") + properties["delta"]
        elif kind == PartUpdated.type:
            self._parts[properties["part"]["id"]] = dict(properties["part"])
        elif kind == MessageUpdated.type:
            self._roles[properties["info"]["id"]] = properties["info"]["role"]


def answer_text(messages: list[dict[str, Any]]) -> str:
    """Return the text of the assistant's messages in ``[{"info", "parts"}]``."""
    parts = [
        part
        for message in messages
        if message["info"]["role"] == "assistant"
        for part in message["parts"]
    ]
    return "".join(part["text"] for part in parts if part["type"] == "text")


def digest(text: str) -> str:
    """Return a name for a text, which is equal for equal texts only."""
    return f"{len(text)}:{hashlib.sha256(text.encode()).hexdigest()}"
