"""The receiving end of the bus: frames, put in order by `GapRepair`."""

from __future__ import annotations

import logging
import time

from bus.malformed import worth_a_line
from bus.transport.codec import MalformedFrame, decode
from bus.transport.gap_repair import NOTHING, Answer, GapRepair, Outcome
from bus.transport.link import EventInlet
from bus.transport.source_state import SourceState

log = logging.getLogger("weir.bus")


class Subscriber:
    """Receives events from every source of one bus.

    Args:
        inlet: brings the frames.

    Attributes:
        malformed: how many frames were malformed.
    """

    def __init__(self, inlet: EventInlet) -> None:
        self.malformed = 0
        self._next = inlet.receive
        self._order = GapRepair()
        self._take = self._order.take

    @property
    def sources(self) -> dict[str, SourceState]:
        """The state of each source, by its name."""
        return self._order.sources

    @property
    def restarts(self) -> int:
        """How often a source was started anew."""
        return sum(state.restarts for state in self.sources.values())

    def receive(self) -> Outcome:
        """Wait for one frame, and return its outcome; see `bus.transport.gap_repair`."""
        try:
            frame = decode(self._next())
        except MalformedFrame as error:
            self.malformed += 1
            if worth_a_line(self.malformed):
                log.warning(
                    "a malformed frame from the bus was ignored: %r (number %d since the start)",
                    str(error),
                    self.malformed,
                )
            return NOTHING
        return self._take(frame, time.monotonic())

    def answer(self, answer: Answer) -> Outcome:
        """Return the outcome of the answer to the last question."""
        return self._order.answer(answer, time.monotonic())

    def alive(self, within_s: float) -> bool:
        """Return whether a frame of any source came in the last `within_s` seconds."""
        since = time.monotonic() - within_s
        return any(state.alive_at >= since for state in self.sources.values())
