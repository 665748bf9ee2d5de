"""A server to measure, whichever it is."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from msgspec import Struct

from bus.origin import Origin


class Missing(Exception):
    """A server cannot be had on this machine; the message says why."""


class Server(Protocol):
    """What clients talk to."""

    @property
    def url(self) -> str:
        """Where it answers."""

    def session(self) -> str:
        """Make a session, and return its id."""

    def prompt(self, session: str, text: str) -> None:
        """Prompt a session, and return as soon as the prompt is taken."""

    def messages(self, session: str) -> list[dict[str, Any]]:
        """Return the messages of a session."""


class Peer(Struct):
    """A server that runs.

    Attributes:
        route: of the stream whose readers steady and idle work have.
        routes: of the streams that the readers of a storm follow, in turn.
        groups: process ids by what they do; `PROVIDER` is no part of the server.
        probed: routes to probe in a storm, by their name in the result.
        framing: bytes of a stream for each byte of text; 8 where each delta is an event.
    """

    server: Server
    route: str
    routes: list[str]
    groups: dict[str, list[int]]
    probed: dict[str, str]
    framing: int = 8

    @property
    def origin(self) -> Origin:
        """Where clients connect."""
        return Origin.parse(self.server.url)


Start = Callable[[Sequence[str]], AbstractContextManager[Peer]]
"""Runs a server; the words are more flags for weir."""
