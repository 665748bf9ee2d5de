"""Starts the process that reads a server, and gets its measurements."""

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
    """Return what the last event of an answer holds, and no other event."""
    return f'"type":"{SessionIdle.type}","properties":{{"sessionID":"{session}"}}'


class CrowdFailed(Exception):
    """The readers could not go on; the message is one line that says why."""


class Times(msgspec.Struct):
    """When readers had the marker, on the monotonic clock: the last and the median one."""

    last_ns: int
    median_ns: int


class Held(msgspec.Struct):
    """What readers hold.

    Attributes:
        texts: how many hold which text, by its digest.
        bytes: that a reader got, the median.
        frames: that a reader got, the median.
        stalled_open: how many stalled readers the server has not cut.
    """

    texts: dict[str, int]
    bytes: float
    frames: float
    stalled_open: int


class Crowd:
    """The readers of a server.

    Attributes:
        pid: of the process that they all are in.
    """

    def __init__(self, child: Child) -> None:
        self.pid = child.pid
        self._child = child

    def begin(self, marker: str) -> None:
        """Have the fast readers wait for a marker, which the next prompt brings."""
        self._ask({"begin": marker}, ANSWER_S)

    def wait(self, deadline_s: float) -> Times:
        """Wait until every fast reader has had the marker.

        Raises:
            CrowdFailed: a stream has ended, or some have not had it after `deadline_s`.
        """
        return msgspec.convert(self._answer(deadline_s), Times)

    def held(self, session: str) -> Held:
        """Return what readers hold of the answers in a session, and have them forget it."""
        return msgspec.convert(self._ask({"held": session}, ANSWER_S), Held)

    def delays(self) -> Delays:
        """Return how long the numbered deltas were on their way."""
        return msgspec.convert(self._ask({"delays": None}, ANSWER_S), Delays)

    def check(self) -> None:
        """See that no stream has ended.

        Raises:
            CrowdFailed: a stream has.
        """
        self._ask({"held": ""}, ANSWER_S)

    def _ask(self, what: Any, deadline_s: float) -> Any:
        with contextlib.suppress(BrokenPipeError):  # its last words say why
            self._child.tell(what)
        return self._answer(deadline_s)

    def _answer(self, deadline_s: float) -> Any:
        try:
            answer = self._child.hear(deadline_s)
        except EOFError:
            raise CrowdFailed("the process of the readers ended") from None
        except TimeoutError:
            raise CrowdFailed(
                f"the readers have not received the end after {deadline_s:g} s"
            ) from None
        if isinstance(answer, dict) and "failed" in answer:
            raise CrowdFailed(answer["failed"])
        return answer


@contextlib.contextmanager
def crowd(plan: BenchPlan) -> Iterator[Crowd]:
    """Have readers at a server for the time of a ``with`` block.

    Raises:
        CrowdFailed: a stream cannot be opened.
    """
    with started([*interpreter(), "-m", "deploy.bench.readers"]) as child:
        child.tell(msgspec.to_builtins(plan))
        readers = Crowd(child)
        readers._answer(OPEN_S)
        yield readers
