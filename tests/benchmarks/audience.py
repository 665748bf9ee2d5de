"""The clients of a server in a storm: processes that read its streams, and that probe it."""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tests.benchmarks.child import Child, child
from tests.benchmarks.figures import Storm
from tests.benchmarks.readers import Plan
from tests.benchmarks.received import answer_text, digest

DEADLINE_S = 180.0
_SPARE_BYTES = 256 * 1024


class Scenario(Struct, frozen=True):
    """How many readers there are, ``FAST`` or ``FAST+STALLED``."""

    fast: int
    stalled: int

    def __str__(self) -> str:
        return f"{self.fast}+{self.stalled}" if self.stalled else str(self.fast)

    @classmethod
    def parse(cls, name: str) -> "Scenario":
        """Read a scenario's name; `ValueError` if it is none."""
        match = re.fullmatch(r"([1-9]\d*)(?:\+(\d+))?", name)
        if match is None:
            raise ValueError(name)
        return cls(int(match[1]), int(match[2] or 0))


class Server(Protocol):
    """What storms pass through."""

    @property
    def url(self) -> str:
        """Where it answers."""

    @property
    def streams(self) -> list[str]:
        """Paths of the streams that readers follow, in turn."""

    def session(self) -> str:
        """Make a session, and return its id."""

    def prompt(self, session: str, text: str) -> None:
        """Prompt a session, and return as soon as the prompt is taken."""

    def messages(self, session: str) -> list[dict[str, Any]]:
        """Return the messages of a session."""


class WrongText(Exception):
    """Somebody holds another text than the model has said."""


class Audience:
    """The readers of a server.

    Attributes:
        pid: of the process that they all are in.
    """

    def __init__(self, server: Server, readers: Child) -> None:
        self.pid = readers.pid
        self._server = server
        self._readers = readers

    def begin(self) -> str:
        """Have the readers wait for a new session's last event; return the session."""
        session = self._server.session()
        self._readers.tell("begin")
        self._readers.hear(DEADLINE_S)
        return session

    def watch(self, session: str, storm: Storm) -> dict[str, Any]:
        """Let a storm pass; return ``{"last_ns", "median_ns"}``, when readers had all of it."""
        self._server.prompt(session, f"storm {storm.deltas} {storm.size}")
        told: dict[str, Any] = self._readers.hear(DEADLINE_S)
        return told

    def check(self, session: str, storm: Storm) -> dict[str, Any]:
        """Return what the readers hold: ``{"texts", "bytes", "frames", "stalled_open"}``.

        Raises:
            WrongText: a reader, or the server, does not hold what the model said.
        """
        expected = digest(storm.text)
        stored = digest(answer_text(self._server.messages(session)))
        if stored != expected:
            raise WrongText(f"the server holds {stored}, the model said {expected}")
        self._readers.tell({"check": session})
        held: dict[str, Any] = self._readers.hear(DEADLINE_S)
        if set(held["texts"]) != {expected}:
            raise WrongText(f"readers hold {held['texts']}, the model said {expected}")
        return held


@contextlib.contextmanager
def audience(server: Server, scenario: Scenario, room: int) -> Iterator[Audience]:
    """Have readers at a server for the time of a ``with`` block.

    Args:
        server: whose streams they follow.
        scenario: how many they are.
        room: bytes of one storm, as each may get them.
    """
    parts = urlsplit(server.url)
    plan = Plan(
        host=parts.hostname or "",
        port=parts.port or 0,
        paths=server.streams,
        fast=scenario.fast,
        stalled=scenario.stalled,
        room=room + _SPARE_BYTES,
    )
    plan_text = json.dumps(msgspec.to_builtins(plan))
    with child("-m", "tests.benchmarks.readers", plan_text) as readers:
        readers.hear(DEADLINE_S)
        yield Audience(server, readers)


@contextlib.contextmanager
def prober(url: str, every_ms: int) -> Iterator[Child]:
    """Have a page probed for the time of a ``with`` block."""
    with child("-m", "tests.benchmarks.prober", url, str(every_ms)) as probing:
        probing.hear(DEADLINE_S)
        yield probing


def probes(probing: Child) -> list[list[int]]:
    """Return ``[[due_ns, sent_ns, done_ns], …]`` of all probes so far."""
    probing.tell("probes")
    found: list[list[int]] = probing.hear(DEADLINE_S)
    return found
