"""Types of answers that only `GET /doc` uses, to describe the JSON of routes."""

from __future__ import annotations

from msgspec import Struct

from bus.events.message import AssistantMessage, Message
from bus.events.part import Part


class MessageAndParts(Struct):
    """A message with its parts."""

    info: Message
    parts: list[Part]


class AnswerAndParts(Struct):
    """The message with which a turn answers, with its parts."""

    info: AssistantMessage
    parts: list[Part]
