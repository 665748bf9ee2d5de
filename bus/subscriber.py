"""The receiving end of the bus: frames from a socket, put in order by `GapRepair`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import gevent
import zmq

from bus.codec import MalformedFrame, decode
from bus.gap_repair import NOTHING, Answer, GapRepair, Outcome
from bus.malformed import worth_a_line
from bus.source_state import SourceState

log = logging.getLogger("weir.bus")

_READ = 1  # as libev names events


class Subscriber:
    """Receives from every source that a SUB socket is connected to.

    Args:
        socket: a connected SUB socket, no green one.
        before_wait: called whenever all that has come is received.

    Attributes:
        malformed: how many frames were.
    """

    def __init__(
        self, socket: zmq.Socket[bytes], before_wait: Callable[[], None] = lambda: None
    ) -> None:
        self.malformed = 0
        self._socket = socket
        self._before_wait = before_wait
        self._order = GapRepair()

    @property
    def sources(self) -> dict[str, SourceState]:
        """What is known of each source, by its name."""
        return self._order.sources

    @property
    def restarts(self) -> int:
        """How often a source was started anew."""
        return sum(state.restarts for state in self.sources.values())

    def receive(self) -> Outcome:
        """Wait for one frame and return what it leads to; see `bus.gap_repair`."""
        try:
            frame = decode(self._next())
        except MalformedFrame as error:
            self.malformed += 1
            if worth_a_line(self.malformed):
                log.warning("%r (number %d)", str(error), self.malformed)
            return NOTHING
        return self._order.take(frame, time.monotonic())

    def answer(self, answer: Answer) -> Outcome:
        """Return what the answer to the last question leads to."""
        return self._order.answer(answer, time.monotonic())

    def alive(self, within_s: float) -> bool:
        """Tell whether any source was heard in the last `within_s` seconds."""
        since = time.monotonic() - within_s
        return any(state.alive_at >= since for state in self.sources.values())

    def _next(self) -> bytes:
        """Return the next frame; while there is none, the loop runs others.

        ZeroMQ's descriptor becomes readable when something changes after an attempt to receive.
        So it is safe to wait only after an attempt that found nothing, if no one else attempts.
        """
        while True:
            try:
                return self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                self._before_wait()
                gevent.get_hub().wait(self._readable)

    @cached_property
    def _readable(self) -> Any:
        return gevent.get_hub().loop.io(int(self._socket.get(zmq.FD)), _READ)
