"""The receiving end: hands on envelopes in order and notices every one that is missing."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import gevent
import zmq
from msgspec import Struct, field

from bus.codec import Heartbeat, MalformedFrame, decode
from bus.envelope import Envelope
from bus.malformed import worth_a_line
from bus.replay import CannotRepair, NobodyThere

log = logging.getLogger("weir.bus")

# A late frame is of an epoch that was on its way when it ended: the last one, or one of a few in
# a row that died at once. Of an older one a snapshot says again that it is over.
MOST_OVER = 16

_READ = 1  # as libev names events

# Between two attempts at a gap that cannot be repaired yet.
TRY_AGAIN_S = 1.0


class SourceCounts(Struct, kw_only=True):
    """What is counted of one source.

    Attributes:
        gaps: how often events were missing.
        repaired: events that were missing and were replayed.
        lost: events that were missing and will never be had.
        snapshots: how often a snapshot took the place of what was missing.
        restarts: changes of epoch seen.
    """

    gaps: int = 0
    repaired: int = 0
    lost: int = 0
    snapshots: int = 0
    restarts: int = 0


class SourceState(SourceCounts):
    """What is known of one source.

    Attributes:
        epoch: of its current start.
        seq: the last seq received, or told by a heartbeat.
        upto: the last known to be missing of a gap that is yet to be repaired, else at most `seq`.
        tried_at: `time.monotonic()` of the last attempt to repair it.
        alive_at: `time.monotonic()` of the last frame.
        over: epochs that have ended, the last `MOST_OVER`.
    """

    epoch: str
    seq: int
    alive_at: float
    upto: int = 0
    tried_at: float = 0.0
    over: deque[str] = field(default_factory=partial(deque, maxlen=MOST_OVER))

    @property
    def is_broken(self) -> bool:
        """Whether there is a gap that could not be repaired so far."""
        return self.upto > self.seq

    def may_try(self) -> bool:
        """Tell whether it is time to try again to repair it; if so, that is noted."""
        now = time.monotonic()
        if now < self.tried_at + TRY_AGAIN_S:
            return False
        self.tried_at = now
        return True


Repair = Callable[[str, str, int, int], list[Envelope]]
"""Given source and epoch, the seq before a gap and the last in it, returns what was in it."""

Join = Callable[[], tuple[str, str, int]]
"""Brings whoever receives up to date by a snapshot; returns its source, epoch and seq."""


class Subscriber:
    """Receives the envelopes of every source that a SUB socket is connected to.

    Nothing passes a gap: what comes behind one that cannot be repaired is left out, since it will
    be in the replay or the snapshot that repairs it. Each frame, a heartbeat if nothing else, is
    the occasion to try again.

    Args:
        socket: a connected SUB socket, no green one.
        repair: fetches what is missing, or raises `CannotRepair`.
        join: fetches a snapshot, or raises `CannotRepair`: for a source that is heard for the
            first time, and for a gap that `repair` cannot fill. Without it such a gap is only
            counted.
        on_restart: told source and new epoch of one that has started anew.
        before_wait: called whenever all that has come is received.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        repair: Repair | None = None,
        join: Join | None = None,
        on_restart: Callable[[str, str], None] = lambda source, epoch: None,
        before_wait: Callable[[], None] = lambda: None,
    ) -> None:
        self.sources: dict[str, SourceState] = {}
        self.malformed = 0
        self._socket = socket
        self._repair = repair
        self._join = join
        self._on_restart = on_restart
        self._before_wait = before_wait

    def receive(self) -> list[Envelope]:
        """Wait for one frame and return its envelopes, after those that were missing before it.

        There are none of a heartbeat that finds nothing missing, nor of a malformed frame.
        """
        try:
            frame = decode(self._next())
        except MalformedFrame as error:
            self.malformed += 1
            if worth_a_line(self.malformed):
                log.warning("%r (number %d)", str(error), self.malformed)
            return []
        if isinstance(frame, Heartbeat):
            return self._accept(frame.source, frame.epoch, frame.seq + 1, [])
        envelopes = frame.envelopes
        if not envelopes:
            return []
        first = envelopes[0]
        state = self.sources.get(first.source)
        if state is None or first.epoch != state.epoch or first.seq != state.seq + 1:
            return self._accept(first.source, first.epoch, first.seq, envelopes)
        # What nearly every frame is: the next of its source.
        state.seq, state.alive_at = envelopes[-1].seq, time.monotonic()
        return envelopes

    def alive(self, within_s: float) -> bool:
        """Tell whether any source was heard in the last `within_s` seconds."""
        since = time.monotonic() - within_s
        return any(state.alive_at >= since for state in self.sources.values())

    def join(self) -> bool:
        """Begin where a snapshot ends; tell whether there is one."""
        return self._cannot_join() is None

    def _cannot_join(self) -> CannotRepair | None:
        """Begin where a snapshot ends; return why there is none."""
        if self._join is None:
            return NobodyThere("nobody to ask")
        try:
            self._stand(*self._join())
        except CannotRepair as error:
            log.warning("no snapshot can be had: %s", error)
            return error
        return None

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

    def _stand(self, source: str, epoch: str, seq: int) -> None:
        state = self.sources.get(source)
        if state is None:
            state = self.sources[source] = SourceState(epoch, seq, time.monotonic())
        elif state.epoch != epoch:
            self._renew(source, state, epoch)
        state.seq, state.upto = seq, 0
        state.snapshots += 1
        log.info("source %s: joined by a snapshot at %d of epoch %s", source, seq, epoch)

    def _accept(
        self, source: str, epoch: str, first: int, envelopes: list[Envelope]
    ) -> list[Envelope]:
        """Take `envelopes`, the first of which has seq `first`, in their place."""
        state = self._state(source, epoch, first)
        last = envelopes[-1].seq if envelopes else first - 1
        missing = self._missing(source, state, first, last) if state.epoch == epoch else None
        if missing is None or state.epoch != epoch:
            return []  # it is behind a gap, or was on its way when the source was started anew
        fresh = envelopes
        if envelopes and first <= state.seq:
            fresh = [envelope for envelope in envelopes if envelope.seq > state.seq]
        state.seq = max(state.seq, last)
        return missing + fresh if missing else fresh

    def _state(self, source: str, epoch: str, first: int) -> SourceState:
        why = self._cannot_join() if source not in self.sources else None
        state = self.sources.get(source)
        if state is None:
            state = self.sources[source] = _begun(epoch, first, why)
        state.alive_at = time.monotonic()
        if state.epoch != epoch and epoch not in state.over:
            self._other_epoch(source, state, epoch)
        return state

    def _other_epoch(self, source: str, state: SourceState, epoch: str) -> None:
        """Begin another epoch, unless it is an older one and the source says that it is over.

        What was missing of the last one is lost then: only a snapshot says so to the readers.
        """
        if state.is_broken:
            if state.may_try():
                self.join()
            return
        if epoch < state.epoch and self.join():
            if state.epoch != epoch:
                state.over.append(epoch)
            return
        self._renew(source, state, epoch)

    def _renew(self, source: str, state: SourceState, epoch: str) -> None:
        log.info("source %s started anew: epoch %s after %s", source, epoch, state.epoch)
        if epoch in state.over:
            state.over.remove(epoch)
        state.over.append(state.epoch)
        if state.is_broken:
            state.lost += state.upto - state.seq
            log.error("source %s: %d events are lost with it", source, state.upto - state.seq)
        state.epoch, state.seq, state.upto, state.restarts = epoch, 0, 0, state.restarts + 1
        self._on_restart(source, epoch)

    def _missing(
        self, source: str, state: SourceState, first: int, last: int
    ) -> list[Envelope] | None:
        """Return what is missing before `first`, None if that cannot be had now.

        What is there, up to `last`, is then missing as well.
        """
        if first - 1 <= state.seq:
            return []
        state.gaps += not state.is_broken
        waits = state.is_broken and not state.may_try()
        missing = None if waits else self._repaired(source, state, first)
        if missing is None:
            state.upto = max(state.upto, last)
        return missing

    def _repaired(self, source: str, state: SourceState, first: int) -> list[Envelope] | None:
        try:
            if self._repair is None:
                raise CannotRepair("nobody to ask")
            missing = self._repair(source, state.epoch, state.seq, first - 1)
        except CannotRepair as error:
            return self._without_replay(source, state, first, error)
        state.repaired += len(missing)
        log.info("source %s: %d events after %d were replayed", source, len(missing), state.seq)
        state.seq = first - 1
        return missing

    def _without_replay(
        self, source: str, state: SourceState, first: int, why: CannotRepair
    ) -> list[Envelope] | None:
        after, snapshots = state.seq, state.snapshots
        count = first - 1 - after
        if self._join is None:
            log.error("source %s: %d events after %d are lost: %s", source, count, after, why)
            state.lost, state.seq = state.lost + count, first - 1
            return []
        if self.join() and state.snapshots > snapshots:
            log.info("source %s: no replay after %d, a snapshot instead: %s", source, after, why)
            return []
        log.error("source %s: %d events after %d wait to be had: %s", source, count, after, why)
        state.tried_at = time.monotonic()
        return None


def _begun(epoch: str, first: int, why: CannotRepair | None) -> SourceState:
    """Return how a source begins without a snapshot: all before `first` is a gap.

    But one that has nobody to ask begins as it is heard.
    """
    waits = why is not None and not isinstance(why, NobodyThere)
    after, now = 0 if waits else first - 1, time.monotonic()
    return SourceState(epoch=epoch, seq=after, alive_at=now, upto=first - 1, tried_at=now)
