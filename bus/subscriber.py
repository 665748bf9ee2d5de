"""The receiving end: hands on envelopes in order and notices every one that is missing."""

from __future__ import annotations

import logging
import time

import zmq
from msgspec import Struct

from bus.codec import Heartbeat, MalformedFrame, decode
from bus.envelope import Envelope

log = logging.getLogger("weir.bus")


class SourceState(Struct):
    """What is known of one source.

    Attributes:
        epoch: of its current start.
        seq: the last seq received, or told by a heartbeat.
        alive_at: `time.monotonic()` of the last frame.
        missing: events that never came, over all epochs.
        restarts: changes of epoch seen.
    """

    epoch: str
    seq: int
    alive_at: float
    missing: int = 0
    restarts: int = 0


class Subscriber:
    """Receives the envelopes of every source that a SUB socket is connected to."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.sources: dict[str, SourceState] = {}
        self.malformed = 0
        self._socket = socket

    def receive(self) -> list[Envelope]:
        """Wait for one frame and return its envelopes: none for a heartbeat or a bad frame."""
        data = self._socket.recv()
        try:
            frame = decode(data)
        except MalformedFrame as error:
            self.malformed += 1
            log.warning("%s (number %d)", error, self.malformed)
            return []
        if isinstance(frame, Heartbeat):
            self._reach(frame.source, frame.epoch, frame.seq + 1, frame.seq)
            return []
        return self._accept(frame.envelopes)

    def alive(self, within_s: float) -> bool:
        """Tell whether any source was heard in the last `within_s` seconds."""
        since = time.monotonic() - within_s
        return any(state.alive_at >= since for state in self.sources.values())

    def _accept(self, envelopes: list[Envelope]) -> list[Envelope]:
        if not envelopes:
            return []
        first, last = envelopes[0], envelopes[-1]
        known = self._reach(first.source, first.epoch, first.seq, last.seq)
        return [e for e in envelopes if e.seq > known] if first.seq <= known else envelopes

    def _reach(self, source: str, epoch: str, first: int, last: int) -> int:
        """Move a source on to `last`; return the seq it stood at, -1 if it was unknown."""
        state = self.sources.get(source)
        now = time.monotonic()
        if state is None:
            self.sources[source] = SourceState(epoch, last, now)
            return -1
        state.alive_at = now
        if state.epoch != epoch:
            log.info("source %s started anew: epoch %s after %s", source, epoch, state.epoch)
            state.epoch, state.seq, state.restarts = epoch, 0, state.restarts + 1
        known = state.seq
        if first > known + 1:
            state.missing += first - known - 1
            log.warning("source %s: events %d to %d are missing", source, known + 1, first - 1)
        state.seq = max(known, last)
        return known
