"""The answer to a search over messages."""

from __future__ import annotations

from msgspec import Struct


class TextMatch(Struct):
    """A text that contains the searched words; `snippet`: the text around them, `time`: in ms."""

    sessionID: str
    messageID: str
    partID: str
    role: str
    time: int
    title: str
    directory: str
    snippet: str


class FoundPage(Struct):
    """A page of results; `complete` is false while older messages are being indexed."""

    found: list[TextMatch]
    next: str | None
    complete: bool
