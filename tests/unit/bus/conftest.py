"""A real event bus for one test, over each transport within a machine."""

import tempfile
from collections.abc import Iterator

import pytest
import zmq

from bus import sockets
from bus.codec import Frame, encode
from bus.subscriber import Subscriber
from tests.processes import wait_until

_LAST = b"that is all"


class Bus:
    """A PUB socket, and those who hear it.

    Attributes:
        socket: the PUB socket.
    """

    def __init__(self, context: zmq.Context, address: str) -> None:
        self.socket = sockets.publisher_socket(context, address)
        self._context = context
        self._address = address

    def subscriber(self, *repair, **how) -> Subscriber:
        """Return a subscriber that hears all that is sent from now on."""
        socket = sockets.subscriber_socket(self._context, [self._address])
        wait_until(lambda: self._hears(socket), what="a subscription")
        self.socket.send(_LAST)
        while socket.recv() != _LAST:
            pass  # an earlier call may be on its way for as long as the machine is busy
        return Subscriber(socket, *repair, **how)

    def send(self, *frames: Frame) -> None:
        """Put frames on the bus as they are."""
        for frame in frames:
            self.socket.send(encode(frame))

    def _hears(self, socket: zmq.Socket) -> bool:
        self.socket.send(b"is anybody there?")
        return bool(socket.poll(5))


@pytest.fixture(params=["inproc", "ipc"])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    """An event bus whose PUB socket is bound."""
    with tempfile.TemporaryDirectory(prefix="weir-") as folder, zmq.Context() as context:
        yield Bus(context, f"{request.param}://{folder}/events")
        context.destroy(linger=0)
