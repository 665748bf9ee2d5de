"""Starts the process with the readers, and gets its measurements."""

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
    """Return text that is in the last event of an answer, and in no other event."""
    return f'"type":"{SessionIdle.type}","properties":{{"sessionID":"{session}"}}'


class CrowdFailed(Exception):
    """The readers have failed; the message is one line with the reason."""


class Times(msgspec.Struct):
    """When readers received the marker, on the monotonic clock: the last and the median one."""

    last_ns: int
    median_ns: int


class Held(msgspec.Struct):
    """What the readers have received.

    Attributes:
        texts: how many readers have which text, by the text's digest.
        bytes: received by the median reader.
        frames: received by the median reader.
        stalled_open: how many stalled readers the server has not disconnected.
    """

    texts: dict[str, int]
    bytes: float
    frames: float
    stalled_open: int


class Crowd:
    """The readers of a server.

    Attributes:
        pid: of the process with all readers.
    """

    def __init__(self, child: Child) -> None:
        self.pid = child.pid
        self._child = child

    def begin(self, marker: str) -> None:
        """Let the fast readers wait for a marker, which the next prompt brings."""
        self._ask({"begin": marker}, ANSWER_S)

    def wait(self, deadline_s: float) -> Times:
        """Wait until every fast reader has received the marker.

        Raises:
            CrowdFailed: a stream has ended, or the marker did not come within `deadline_s`.
        """
        return msgspec.convert(self._answer(deadline_s), Times)

    def held(self, session: str) -> Held:
        """Return what the readers have received of the answers in a session, and drop it."""
        return msgspec.convert(self._ask({"held": session}, ANSWER_S), Held)

    def delays(self) -> Delays:
        """Return the delays of the numbered deltas."""
        return msgspec.convert(self._ask({"delays": None}, ANSWER_S), Delays)

    def check(self) -> None:
        """Check that no stream has ended.

        Raises:
            CrowdFailed: a stream has ended.
        """
        self._ask({"held": ""}, ANSWER_S)

    def _ask(self, what: Any, deadline_s: float) -> Any:
        with contextlib.suppress(BrokenPipeError):  # its last line says why
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
    """Run readers at a server during a ``with`` block.

    Raises:
        CrowdFailed: a stream cannot be opened.
    """
    with started([*interpreter(), "-m", "deploy.bench.readers"]) as child:
        child.tell(msgspec.to_builtins(plan))
        readers = Crowd(child)
        readers._answer(OPEN_S)
        yield readers
