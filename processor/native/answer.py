"""The base class of running answers, whether a model or an external agent writes the answer."""

from __future__ import annotations

from gevent.event import Event

from bus.events.message import Failure
from bus.events.part import TokenCounts
from processor.native.turn import Turn, aborted


class Answer:
    """An answer to a prompt; it starts when the object is made.

    `processor.native.turns` calls `conclude`, which waits for the end of the answer.

    Args:
        turn: saves and publishes the output.

    Attributes:
        turn: saves and publishes the output.
        tokens: the tokens that the answer has used so far.
        cost: the cost of the answer so far, in US dollars.
        is_lasting: whether the answer continues after a restart of the processor.
    """

    is_lasting = False

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.tokens = TokenCounts.none()
        self.cost: float = 0
        self._reason: str | None = None
        self._failure: Failure | None = None
        self._ending, self._concluded = Event(), Event()

    def abort(self) -> None:
        """Ask the answer to stop; return at once, before the answer has stopped."""
        raise NotImplementedError

    def conclude(self) -> None:
        """Wait until the answer is complete or stopped; then publish the end of the turn."""
        try:
            self._ending.wait()
            self._end_turn()
        finally:
            self._concluded.set()

    def _end_turn(self) -> None:
        if self._reason is not None:
            self.turn.finish(self._reason, self.tokens, self.cost)
        else:
            self.turn.fail(self._failure or aborted())
