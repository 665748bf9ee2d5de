"""The bytes of an event stream that are for one reader alone: at its beginning, and when it lags.

1. A stream begins as the body of a WSGI answer. The request's greenlet writes the body until the
   reader has all events of the log.
2. Then the stream leaves this greenlet (`take_over`), and its reader waits in a lane: the readers
   with the same filter, which are sent the next events together.
3. If the reader falls behind, or its view (filter) changes, its `Outlet` writes more of this body,
   until the reader has all events again.
"""

from __future__ import annotations

import errno
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import Final

import gevent

from bus.events.catalogue import SERVER_CONNECTED
from bus.ids import Ids
from bus.process.fairness import STEPS_A_TURN
from gateway.door.wire import Wire
from gateway.relay import Entrance, FellOff, ResumeVerdict, Step, patience_s
from gateway.relay.frames import PIECE_BYTES, server_frame
from gateway.streams.connection import StreamConnection
from gateway.streams.evictions import Cause
from gateway.streams.heartbeats import Heartbeats
from gateway.streams.outlet import Outlet
from gateway.streams.reader import Reader
from gateway.streams.readers import Readers

log = logging.getLogger("weir.gateway")

_RETRY_MS = (500, 1500)
_RANDOM: Final = random.SystemRandom()
_LOOK_S = 0.05
_COMMENT_S = 1.0
_WAITING = b": this worker has not received the last event yet\n\n"


class Stream:
    """The frames for one reader alone, up to the newest event; the first is ``server.connected``.

    Args:
        readers: all open streams of the worker.
        reader: the state of this stream.
        wire: the connection, for writing; None under a test client.
        connection: the same connection, to ask the kernel whether the peer accepts bytes; None
            under a test client.
        ids: makes the ids of the events that the gateway itself sends.
        heartbeats: sends heartbeats while the reader waits for events.
    """

    def __init__(
        self,
        readers: Readers,
        reader: Reader,
        wire: Wire | None,
        connection: StreamConnection | None,
        ids: Ids,
        heartbeats: Heartbeats,
    ) -> None:
        self._readers = readers
        self._reader = reader
        self._wire = wire
        self._ids = ids
        self._heartbeats = heartbeats
        self._begun = False
        self._steps = 0
        heartbeats.add(reader)
        reader.connection = connection
        if connection is not None:
            connection.watch(reader.leave)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes of all events up to the newest.

        Raises:
            ConnectionResetError: the stream has ended, and its connection must be reset.
        """
        return self.pieces(None)

    def pieces(self, step: Step | None) -> Iterator[bytes]:
        """Yield the bytes of `step`, or of all events up to the newest if `step` is None.

        Args:
            step: the next events after the reader's position, if they were already encoded for
                several readers.

        Raises:
            ConnectionResetError: the stream has ended, and its connection must be reset.
        """
        if step is not None and not self._reader.gone and not self._reader.turning:
            yield from self._deliver(step)
            return  # `Lane` writes the events after `step`, perhaps later
        if not self._begun:
            self._begun = True
            yield from self._wait_for_position()
            yield from self._come_in()
        while not self._reader.gone:
            if self._reader.turning:
                yield from self._bring_in(self._found(self._readers.turn))
                continue
            try:
                step = self._readers.relay.step(self._reader.cursor, self._reader.view)
            except FellOff:
                yield from self._bring_in(self._catch_up())
                continue
            if step is None:
                return
            yield from self._deliver(step)
        if self._reader.left is not Cause.DISPOSED:
            raise _reset("weir ends the event stream")

    def take_over(self, chunked: bool) -> bool:
        """Take the connection over from the request's greenlet, which wrote all bytes so far.

        Args:
            chunked: the answer uses chunked encoding.

        Returns:
            Whether this was done; False if the stream has ended already.
        """
        reader, connection = self._reader, self._reader.connection
        if reader.gone or self._wire is None or connection is None:
            return False
        settle = self._readers.lanes.settle
        reader.outlet = Outlet(self, reader, self._wire, connection, chunked, settle)
        connection.release()
        connection.owes = True
        settle(reader)
        self._wire.hand_over()
        return True

    def close(self) -> None:
        """Release the stream's resources; a WSGI server always calls this."""
        self._readers.discard(self._reader)
        self._heartbeats.discard(self._reader)
        if self._reader.connection is not None:
            self._reader.connection.close()

    def _wait_for_position(self) -> Iterator[bytes]:
        """Wait until the reader's folder is known and this worker has reached its position.

        Meanwhile, yield a comment every second, so that the client does not give up the stream.
        """
        reader = self._reader
        began = said = time.monotonic()
        while not reader.gone and time.monotonic() - began < self._patience_s():
            if time.monotonic() - said < _COMMENT_S:
                reader.wait(_LOOK_S)
                continue
            said = time.monotonic()
            reader.count_own(len(_WAITING), frames=0)
            yield _WAITING

    def _patience_s(self) -> float:
        """Return how long (s) after its opening the stream may wait with its first event."""
        reader = self._reader
        if not reader.placed and not reader.turning:
            return reader.patience_s
        return patience_s(self._readers.relay, reader.last_id)

    def _come_in(self) -> Iterator[bytes]:
        """Yield ``server.connected``, and the first events if the reader's folder is known."""
        reader = self._reader
        if reader.turning:
            reader.turn()
        if not reader.placed:
            yield self._retry() + self._say(SERVER_CONNECTED, "", resumed=False)
            return
        entrance = self._found(self._readers.come_in)
        connected = self._say(SERVER_CONNECTED, entrance.id, resumed=entrance.resumed)
        yield self._retry() + connected
        yield from self._bring_in(entrance)

    def _catch_up(self) -> Entrance:
        stood = self._reader.cursor.marks
        entrance = self._found(self._readers.catch_up)
        if stood and entrance.verdict not in (
            ResumeVerdict.EXACT,
            ResumeVerdict.CAUGHT_UP,
            ResumeVerdict.FRESH,
        ):
            log.warning(
                "reset the event stream of %s: its client lagged so far behind that weir no "
                "longer has all that the client missed; the client should fetch its sessions anew",
                self._reader.client.address or "an unknown address",
            )
            self._reader.leave(Cause.FELL_OFF)
            raise _reset("weir no longer has the events that the client missed")
        return entrance

    def _found(self, find: Callable[[Reader], Entrance]) -> Entrance:
        """Return what the reader lacks; readers do this one after another, since it takes long."""
        with self._readers.gate.passed():
            return find(self._reader)

    def _bring_in(self, entrance: Entrance) -> Iterator[bytes]:
        """Yield the bytes of `entrance`, then set the reader to the position after them."""
        reader, size = self._reader, 0
        for piece in entrance.pieces(reader.view.endpoint):
            yield from self._by_turns(piece)
            size += len(piece)
        reader.count_entrance(len(entrance.rest), len(entrance.upserts), size)
        reader.cursor = entrance.cursor

    def _deliver(self, step: Step) -> Iterator[bytes]:
        self._reader.cursor = step.cursor
        if step.pieces:
            for piece in step.pieces:
                yield from self._by_turns(piece) if len(piece) > PIECE_BYTES else (piece,)
            self._reader.count_step(step)
        if step.ends:
            self._reader.left = Cause.DISPOSED
        self._let_others_run()

    def _by_turns(self, piece: bytes) -> Iterator[bytes]:
        """Yield a long piece in parts that a socket takes at once; others write in between."""
        for start in range(0, len(piece), PIECE_BYTES):
            self._readers.turnstile.pass_through()
            yield piece[start : start + PIECE_BYTES]

    def _let_others_run(self) -> None:
        """Let other greenlets run now and then: writes to a fast client never wait."""
        self._steps += 1
        if self._steps % STEPS_A_TURN == 0:
            gevent.sleep(0)

    def _retry(self) -> bytes:
        """Return a ``retry:`` line with a random time: clients must not reconnect together."""
        line = b"retry: %d\n" % _RANDOM.randint(*_RETRY_MS)
        self._reader.count_own(len(line), frames=0)
        return line

    def _say(self, event_type: str, place: str, **properties: bool) -> bytes:
        evt_id = self._ids.ascending("evt")
        reader = self._reader
        frame = server_frame(event_type, evt_id, reader.view.endpoint, place, **properties)
        reader.count_own(len(frame))
        return frame


def _reset(reason: str) -> ConnectionResetError:
    """Return an error that resets the connection: clients retry only after a reset."""
    return ConnectionResetError(errno.ECONNRESET, reason)
