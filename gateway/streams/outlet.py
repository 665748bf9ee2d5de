"""Writes one stream to its socket, once its request has been answered.

At the head of the log a stream needs no greenlet: its lane writes to it, and so do the heartbeats.
A greenlet works for the stream where the socket takes less than it is given, and where something
is for this reader alone. It works until the reader stands at the head again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from typing import Protocol

import gevent

from gateway.door.wire import Wire
from gateway.proxy.failures import ClientGone
from gateway.relay import Step
from gateway.relay.frames import in_chunks
from gateway.streams.connection import StreamConnection, cause_of
from gateway.streams.evictions import Cause
from gateway.streams.reader import Reader

log = logging.getLogger("weir.gateway")

_LAST_CHUNK = b"0\r\n\r\n"
_COPIED_BYTES = 64 * 1024


class Told(Protocol):
    """What is written to one reader alone, up to the head of the log."""

    def told(self, step: Step | None) -> Iterator[bytes]:
        """Yield pieces to write, those of a step first."""

    def close(self) -> None:
        """Release what the stream holds."""


class Outlet:
    """Writes one stream.

    Args:
        stream: what the reader is to be sent.
        reader: whose stream it is.
        wire: where it goes.
        connection: the same connection, as the kernel sees it.
        chunked: in chunks.
        settle: has the reader wait at the head of the log; must not block.

    Attributes:
        chunked: as given; else the end of the connection is that of the answer.
    """

    __slots__ = (
        "_connection",
        "_ended",
        "_fileno",
        "_reader",
        "_settle",
        "_stream",
        "_wire",
        "_worker",
        "chunked",
    )

    def __init__(
        self,
        stream: Told,
        reader: Reader,
        wire: Wire,
        connection: StreamConnection,
        chunked: bool,
        settle: Callable[[Reader], None],
    ) -> None:
        self._stream = stream
        self._reader = reader
        self._wire = wire
        self._connection = connection
        self.chunked = chunked
        self._settle = settle
        self._fileno = wire.sock.fileno()
        self._worker: gevent.Greenlet[..., None] | None = None
        self._ended = False

    def send(self, data: bytes) -> memoryview | None:
        """Write what the socket takes at once; return the rest, None if there is none.

        Where the peer has left, the stream is over and there is no rest.
        """
        self._connection.about_to_write()
        try:
            taken = os.write(self._fileno, data)
        except BlockingIOError:
            taken = 0
        except OSError as error:
            self._reader.leave(cause_of(error))
            return None
        if taken == len(data):
            return None
        rest = memoryview(data)[taken:]
        # A view keeps all that it is a view of: little of a long step is copied.
        return rest if len(rest) > _COPIED_BYTES else memoryview(bytes(rest))

    def beat(self, frame: bytes, now: float) -> None:
        """Write a heartbeat to a reader that waits; does not block.

        Args:
            frame: to write.
            now: `time.monotonic()`.
        """
        self._reader.count_own(len(frame))
        alone = self._connection.owes_nothing(now)
        rest = self.send(in_chunks((frame,)) if self.chunked else frame)
        if rest is not None:
            self.work(rest)
        elif alone:
            self._connection.owes, self._connection.beaten_at = False, now

    def work(self, rest: memoryview | None = None, step: Step | None = None) -> None:
        """Have a greenlet write what the reader is to be sent; don't block.

        Args:
            rest: of what is written already.
            step: what comes then, where the lane has computed it; the rank still stands before it.
        """
        self._reader.leave_rank()
        self._connection.about_to_write()
        self._worker = gevent.spawn(self._work, rest, step)

    def end(self) -> None:
        """End the stream, and close its connection; does not block."""
        if self._ended:
            return
        self._ended = True
        worker, self._worker = self._worker, None
        if worker is not None and worker is not gevent.getcurrent():
            worker.kill(block=False)
        self._stream.close()
        self._wire.end()

    def _work(self, rest: memoryview | None, step: Step | None) -> None:
        try:
            if rest is not None:
                self._write(rest)
            for piece in self._stream.told(step):
                self._write(in_chunks((piece,)) if self.chunked else piece)
            if self._reader.gone:
                self._close()
                return
            self._worker = None
            self._connection.owes = True
            self._settle(self._reader)
        except (OSError, ClientGone):
            self._break_off()
        except gevent.GreenletExit:
            pass
        except Exception:
            log.exception("an event stream failed")
            self._break_off()

    def _close(self) -> None:
        """End the answer as a whole one."""
        self._stream.close()
        if self.chunked:
            self._wire.send_last(_LAST_CHUNK)
        self._wire.close_gently()
        self.end()

    def _break_off(self) -> None:
        self._reader.leave(Cause.GONE)
        self.end()  # a reader that has left already, by the end of its instance, ends nothing

    def _write(self, data: bytes | memoryview) -> None:
        self._wire.send(data)
