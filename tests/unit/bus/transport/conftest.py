"""A real event bus for one test, over each transport within a machine."""

import tempfile
from collections.abc import Iterator

import pytest
import zmq

from bus.envelope import Envelope
from bus.transport import sockets
from bus.transport.codec import Frame, encode
from bus.transport.gap_repair import (
    Answer,
    Deliver,
    Joined,
    Missing,
    Nothing,
    Question,
    Replayed,
    Unanswered,
)
from bus.transport.link import EventInlet
from bus.transport.replay import CannotRepair, NoProcessor
from bus.transport.subscriber import Subscriber
from tests.processes import wait_until
from tests.unit.bus.transport.channel import Channel, command_channel

_LAST = b"that is all"


class Asking(Subscriber):
    """A subscriber with what it needs to answer its questions, as in a gateway.

    Args:
        socket: a SUB socket.
        repair: given source, epoch, the seq before a gap and the last in it, returns what was in
            it or raises `CannotRepair`.
        join: returns where a snapshot ends, or raises `CannotRepair`. Without it, what `repair`
            does not bring is lost.
    """

    def __init__(self, socket: zmq.Socket, repair, join) -> None:
        super().__init__(EventInlet(socket))
        self._repair = repair
        self._join = join

    def receive(self) -> list[Envelope]:
        """Wait for one frame and return the events that it brings, missing ones first."""
        outcome = super().receive()
        while not isinstance(outcome, Deliver | Nothing):
            outcome = self.answer(self._ask(outcome))
        return outcome.envelopes if isinstance(outcome, Deliver) else []

    def _ask(self, question: Question) -> Answer:
        try:
            if isinstance(question, Missing):
                return Replayed(self._replayed(question))
            if self._join is None:
                raise NoProcessor("nobody to ask")
            return Joined(*self._join())
        except CannotRepair as error:
            if isinstance(question, Missing) and self._join is None:
                return Replayed([], str(error))
            return Unanswered(str(error), isinstance(error, NoProcessor))

    def _replayed(self, gap: Missing) -> list[Envelope]:
        if self._repair is None:
            raise CannotRepair("nobody to ask")
        return self._repair(gap.source, gap.epoch, gap.after, gap.upto)


class Bus:
    """A PUB socket, and those who hear it.

    Attributes:
        socket: the PUB socket.
    """

    def __init__(self, context: zmq.Context, address: str) -> None:
        self.socket = sockets.publisher_socket(context, address)
        self._context = context
        self._address = address

    def subscriber(self, repair=None, join=None) -> "Asking":
        """Return a subscriber that hears all that is sent from now on."""
        socket = sockets.subscriber_socket(self._context, [self._address])
        wait_until(lambda: self._hears(socket), what="a subscription")
        self.socket.send(_LAST)
        while socket.recv() != _LAST:
            pass  # an earlier call may be on its way for as long as the machine is busy
        return Asking(socket, repair, join)

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


@pytest.fixture
def channel() -> Iterator[Channel]:
    """A command channel of the test's own."""
    with command_channel() as one:
        yield one
