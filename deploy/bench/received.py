"""Turns the bytes of an event stream into the text that a client would show."""

from __future__ import annotations

import hashlib
from typing import Any

from bus import json
from bus.events.catalogue import MessageUpdated, PartDelta, PartUpdated
from bus.sse import EventStreamParser
from deploy.bench.response_body import ResponseBody


class Received:
    """What one client has received: the messages of all sessions.

    Attributes:
        frames: how many events the client has received so far.
    """

    def __init__(self) -> None:
        self.frames = 0
        self._body = ResponseBody()
        self._parser = EventStreamParser()
        self._roles: dict[str, str] = {}
        self._parts: dict[str, dict[str, Any]] = {}

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take the next bytes of the connection; return the events that are complete now.

        Raises:
            NotAStream: the bytes are not an HTTP response with an event stream.
        """
        events = []
        for event in self._parser.feed(self._body.feed(data)):
            wire = json.decode(event.data)
            events.append(wire.get("payload", wire))
            self._apply(events[-1])
            self.frames += 1
        return events

    def text(self, session: str) -> str:
        """Return the text of all answers in a session, as the client would show it."""
        parts = sorted(
            (part["messageID"], part["id"], part["text"])
            for part in self._parts.values()
            if part["sessionID"] == session and part["type"] == "text"
        )
        return "".join(
            text for message, _, text in parts if self._roles.get(message) == "assistant"
        )

    def forget(self) -> None:
        """Forget all messages, because the texts of hundreds of clients take gigabytes."""
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
    """Return the length and the SHA-256 of a text, to compare texts without keeping them."""
    return f"{len(text)}:{hashlib.sha256(text.encode()).hexdigest()}"
