"""Writes one event stream to its socket, once the request's own greenlet has ended.

A stream that has all events needs no greenlet: `Lane` and `Heartbeats` write to its socket without
blocking. If the socket takes only a part of the bytes, or if bytes are for this reader alone, a
greenlet writes to the stream until the reader has all events again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Protocol

import gevent

from gateway.door.tls_socket import writer_of
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


class StreamBody(Protocol):
    """The bytes for one reader alone, until it has all events of the log."""

    def pieces(self, step: Step | None) -> Iterator[bytes]:
        """Yield the bytes of `step`, or of all events up to the newest if `step` is None."""

    def close(self) -> None:
        """Release the resources of the stream."""


class Outlet:
    """Writes one event stream to its socket.

    Args:
        stream: yields the bytes for this reader alone.
        reader: the state of the stream.
        wire: the connection, for writing.
        connection: the same connection, to ask the kernel whether the peer accepts bytes.
        chunked: the answer uses chunked encoding.
        settle: adds a reader that has all events to its lane; must not block.

    Attributes:
        chunked: the answer uses chunked encoding; otherwise it ends when the connection ends.
    """

    __slots__ = (
        "_connection",
        "_ended",
        "_reader",
        "_settle",
        "_stream",
        "_wire",
        "_worker",
        "_write_now",
        "chunked",
    )

    def __init__(
        self,
        stream: StreamBody,
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
        self._write_now = writer_of(wire.sock)
        self._worker: gevent.Greenlet[..., None] | None = None
        self._ended = False

    def send(self, data: bytes) -> memoryview | None:
        """Write what the socket takes without blocking; return the other bytes, or None.

        If the peer has left, the stream ends, and the result is None.
        """
        self._connection.about_to_write()
        try:
            taken = self._write_now(data)
        except BlockingIOError:
            taken = 0
        except OSError as error:
            self._reader.leave(cause_of(error))
            return None
        if taken == len(data):
            return None
        rest = memoryview(data)[taken:]
        # A memoryview keeps all of `data` in memory, so a few remaining bytes are copied.
        return rest if len(rest) > _COPIED_BYTES else memoryview(bytes(rest))

    def beat(self, frame: bytes, now: float) -> None:
        """Write a heartbeat to a reader that waits for events; does not block.

        Args:
            frame: the encoded heartbeat.
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
        """Start a greenlet that writes to this reader alone; does not block.

        Args:
            rest: bytes that the socket has not taken yet; they are written first.
            step: the next events after the reader's position, if they were already encoded for
                several readers. None to write all events up to the newest.
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
            for piece in self._stream.pieces(step):
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
            log.exception(
                "weir has a bug: an event stream failed, and is reset; its client can resume"
            )
            self._break_off()

    def _close(self) -> None:
        """End the HTTP answer without a reset, and close the connection."""
        self._stream.close()
        if self.chunked:
            self._wire.send_last(_LAST_CHUNK)
        self._wire.close_gently()
        self.end()

    def _break_off(self) -> None:
        self._reader.leave(Cause.GONE)
        self.end()  # has no effect if the reader has already left

    def _write(self, data: bytes | memoryview) -> None:
        self._wire.send(data)
