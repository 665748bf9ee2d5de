"""Types of answers that are in no other module; `GET /doc` describes them."""

from __future__ import annotations

from msgspec import Struct

from bus.events.message import AssistantMessage, Message
from bus.events.part import Part


class MessageAndParts(Struct):
    """A message with its parts."""

    info: Message
    parts: list[Part]


class AnswerAndParts(Struct):
    """The answer of a turn with its parts."""

    info: AssistantMessage
    parts: list[Part]
