"""Starts the process that opens all event streams (`deploy.bench.readers`), and commands it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec

from bus.events.catalogue import SessionIdle
from deploy.bench.child import Child, started
from deploy.bench.delays import Delays
from deploy.bench.plan import BenchPlan
from deploy.import_path import interpreter

OPEN_S = 180.0
ANSWER_S = 180.0


def end_of(session: str) -> str:
    """Return JSON text that occurs only in the last event of an answer: the session is idle."""
    return f'"type":"{SessionIdle.type}","properties":{{"sessionID":"{session}"}}'


class CrowdFailed(Exception):
    """The readers have failed; the message says why, in one line."""


class Times(msgspec.Struct):
    """When the last and the median reader received the text they waited for (monotonic clock)."""

    last_ns: int
    median_ns: int


class Held(msgspec.Struct):
    """What the readers have received since the last `begin`.

    Attributes:
        texts: for each text that was received (by its digest), how many readers have it.
        bytes: how many bytes the median reader has received.
        frames: how many events the median reader has received.
        stalled_open: how many of the readers that never read are still connected.
    """

    texts: dict[str, int]
    bytes: float
    frames: float
    stalled_open: int


class Crowd:
    """The readers of a server, which are clients with an open event stream.

    Attributes:
        pid: the pid of the process in which all readers run.
    """

    def __init__(self, child: Child) -> None:
        self.pid = child.pid
        self._child = child

    def begin(self, marker: str) -> None:
        """Let all readers that read look for the text `marker` from now on."""
        self._ask({"begin": marker}, ANSWER_S)

    def wait(self, deadline_s: float) -> Times:
        """Wait until every reader that reads has received the marker.

        Raises:
            CrowdFailed: a stream has ended, or the marker was not received within `deadline_s`.
        """
        return msgspec.convert(self._answer(deadline_s), Times)

    def held(self, session: str) -> Held:
        """Return what the readers have received of the answers in a session, and forget it."""
        return msgspec.convert(self._ask({"held": session}, ANSWER_S), Held)

    def delays(self) -> Delays:
        """Return the delays of the numbered deltas that the readers have received."""
        return msgspec.convert(self._ask({"delays": None}, ANSWER_S), Delays)

    def check(self) -> None:
        """Check that no stream has ended.

        Raises:
            CrowdFailed: a stream has ended.
        """
        self._ask({"held": ""}, ANSWER_S)

    def _ask(self, what: Any, deadline_s: float) -> Any:
        # If the process has ended, its last line, which is read below, says why.
        with contextlib.suppress(BrokenPipeError):
            self._child.tell(what)
        return self._answer(deadline_s)

    def _answer(self, deadline_s: float) -> Any:
        try:
            answer = self._child.hear(deadline_s)
        except EOFError:
            raise CrowdFailed("the process that opens the event streams has ended") from None
        except TimeoutError:
            raise CrowdFailed(
                f"not all readers have received the last event within {deadline_s:g} s"
            ) from None
        if isinstance(answer, dict) and "failed" in answer:
            raise CrowdFailed(answer["failed"])
        return answer


@contextlib.contextmanager
def crowd(plan: BenchPlan) -> Iterator[Crowd]:
    """Keep the event streams of a plan open during a ``with`` block.

    Raises:
        CrowdFailed: a stream cannot be opened.
    """
    with started([*interpreter(), "-m", "deploy.bench.readers"]) as child:
        child.tell(msgspec.to_builtins(plan))
        readers = Crowd(child)
        readers._answer(OPEN_S)
        yield readers
