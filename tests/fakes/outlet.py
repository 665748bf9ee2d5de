"""The outlet of a stream without a socket: its reader takes what it was sent when it likes."""

from collections import deque
from collections.abc import Iterator

from bus.ids import Ids
from gateway.relay import Step, View
from gateway.relay.frames import server_frame
from gateway.relay.mark import event_id
from gateway.streams.heartbeats import Heartbeats
from gateway.streams.reader import Reader
from gateway.streams.readers import Readers
from gateway.streams.stream import Stream

_ids = Ids()


class FakeOutlet:
    """What a socket and the real outlet do, as a generator and a list.

    Args:
        readers: of the worker.
        reader: whose stream it is.
        room: how many bytes the socket takes that nobody has read.

    Attributes:
        room: as given; may change.
        worked: how often the lane has given the reader away.
    """

    chunked = False

    def __init__(self, readers: Readers, reader: Reader, room: int = 1 << 30) -> None:
        self.room = room
        self.worked = 0
        self._readers = readers
        self._reader = reader
        self._sent: deque[bytes] = deque()
        self._stream = Stream(readers, reader, None, None, _ids, Heartbeats(60.0, _ids))
        self._step: Step | None = None
        reader.outlet = self  # type: ignore[assignment]

    def send(self, data: bytes) -> memoryview | None:
        """Take as much as there is room for."""
        taken = min(len(data), max(0, self.room - sum(map(len, self._sent))))
        if taken:
            self._sent.append(data[:taken])
        return memoryview(data)[taken:] if taken < len(data) else None

    def work(self, rest: memoryview | None = None, step: Step | None = None) -> None:
        """Have `pieces` go on with the rest, and then with what the reader is to be sent."""
        self.worked += 1
        self._step = step
        self._reader.leave_rank()
        if rest is not None:
            self._sent.append(bytes(rest))

    def end(self) -> None:
        """End the stream."""
        self._readers.discard(self._reader)

    def taken(self) -> bytes:
        """Read all that was sent."""
        data = b"".join(self._sent)
        self._sent.clear()
        return data

    def pieces(self) -> Iterator[bytes]:
        """Yield what arrives, and a heartbeat where there is nothing to read.

        Raises:
            ConnectionResetError: the stream is over.
        """
        try:
            while True:
                yield from self._rest()
                step, self._step = self._step, None
                yield from self._stream.pieces(step)
                if self._reader.gone:
                    return
                self._readers.lanes.settle(self._reader)
                while self._reader.rank is not None:
                    yield self._sent.popleft() if self._sent else self._heartbeat()
        finally:
            self._readers.discard(self._reader)

    def _rest(self) -> Iterator[bytes]:
        while self._sent:
            yield self._sent.popleft()

    def _heartbeat(self) -> bytes:
        place = event_id(self._reader.cursor.marks, self._reader.view)
        return server_frame("server.heartbeat", "evt_1", self._reader.view.endpoint, place)


def waiting(readers: Readers, view: View, room: int = 1 << 30) -> tuple[Reader, FakeOutlet]:
    """Open a stream, and have its reader wait at the head of the log."""
    reader = readers.open(view)
    outlet = FakeOutlet(readers, reader, room)
    readers.lanes.settle(reader)
    return reader, outlet


def opened(readers: Readers, view: View, last_id: str = "") -> Iterator[bytes]:
    """Open a stream; yield what its reader gets."""
    return FakeOutlet(readers, readers.open(view, last_id or None)).pieces()
