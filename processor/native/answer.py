"""One answer while an engine or an agent makes it, and its end."""

from __future__ import annotations

from gevent.event import Event

from bus.events.message import Failure
from bus.events.part import TokenCounts
from processor.native.turn import Turn, aborted


class Answer:
    """Runs from its creation on; `processor.native.turns` waits for its end.

    Args:
        turn: takes the output.

    Attributes:
        turn: as given.
        tokens: of the answer so far.
        cost: of the answer so far, in US dollars.
        is_lasting: the answer continues after a restart of the processor.
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
        """Stop the answer; does not block."""
        raise NotImplementedError

    def conclude(self) -> None:
        """Wait until the answer is complete or stopped, and end the turn accordingly."""
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
