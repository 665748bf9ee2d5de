"""A command channel over a real socket, of which a test starts the ends that it needs."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import gevent
import msgspec
import zmq.green

from bus.answers import CommandFailed
from bus.transport import sockets
from bus.transport.link import Link
from bus.transport.requester import Requester
from bus.transport.responder import Responder
from tests.processes import DEADLINE_S


def until(socket: zmq.Socket, event: int) -> None:
    """Wait until a socket can be read or written; a green poller may notice it a second late."""
    with gevent.Timeout(DEADLINE_S):
        while not socket.get(zmq.EVENTS) & event:
            gevent.sleep(0.002)


class Channel:
    """A command channel of which a test starts the ends it needs."""

    def __init__(self, address: str, context: zmq.green.Context) -> None:
        self.address = address
        self.alive = True
        self.restarts = 0
        self.context = context
        self._greenlets: list[gevent.Greenlet] = []

    def answer_with(self, handler) -> zmq.Socket:
        """Start a responder."""
        socket = sockets.responder_socket(self.context, self.address)
        self._spawn(Responder(Link(socket), handler).run)
        return socket

    def requester(self, deadline_s: float = 10.0) -> Requester:
        """Start a requester."""
        socket = sockets.requester_socket(self.context, self.address)
        requester = Requester(Link(socket), lambda: self.alive, deadline_s, lambda: self.restarts)
        self._spawn(requester.run)
        return requester

    def joined(self, handler) -> Requester:
        """Start both ends, and wait until they have met."""
        self.answer_with(handler)
        requester = self.requester()
        until(requester._link.socket, zmq.POLLOUT)
        return requester

    def dealer(self) -> zmq.Socket:
        """Return the raw socket of a client that may say anything."""
        socket = sockets.requester_socket(self.context, self.address)
        until(socket, zmq.POLLOUT)
        return socket

    def close(self) -> None:
        gevent.killall(self._greenlets)
        self.context.destroy(linger=0)

    def _spawn(self, run) -> None:
        self._greenlets.append(gevent.spawn(run))


@contextmanager
def command_channel() -> Iterator[Channel]:
    """Make a channel for the time of a ``with`` block."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-"))
        channel = Channel(f"ipc://{folder}/commands", zmq.green.Context())
        stack.callback(channel.close)
        yield channel


def echo(command):
    return msgspec.json.encode(command), None


def refuse(command):
    raise CommandFailed("conflict", f"{command.session} is taken")


def crash(command):
    raise KeyError("a mistake")
