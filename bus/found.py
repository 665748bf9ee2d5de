"""What a search over messages answers."""

from __future__ import annotations

from msgspec import Struct


class Found(Struct):
    """A text that has the words of a search; `snippet` is the text around them, `time` in ms."""

    sessionID: str
    messageID: str
    partID: str
    role: str
    time: int
    title: str
    directory: str
    snippet: str


class FoundPage(Struct):
    """What a search has found; `complete` is false while older messages are being indexed."""

    found: list[Found]
    next: str | None
    complete: bool
