"""What the kernel says of a peer, over real sockets; and how a connection ends."""

import contextlib
import socket as plain
import time

import gevent
import pytest
from gevent import socket

from gateway.streams import connection
from gateway.streams.connection import Account, StreamConnection
from gateway.streams.evictions import Cause
from gateway.streams.neighbour import Neighbours
from tests.processes import DEADLINE_S

MEGABYTE = b"x" * 1_000_000
AWHILE_S = 100.0


@pytest.fixture
def pair():
    """The two ends of a TCP connection on this machine: the server's, and a plain client's."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = plain.socket()
        client.setsockopt(plain.SOL_SOCKET, plain.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
    with server, client:
        yield server, client


class Serving:
    """A greenlet that writes for ever to its connection."""

    def __init__(self, server, neighbours=None):
        self.ended = None
        self.connection = None
        self._greenlet = gevent.spawn(self._serve, server, neighbours or Neighbours())
        until(lambda: self.connection)

    def _serve(self, server, neighbours):
        self.connection = StreamConnection(server, 30, neighbours)
        try:
            while True:
                server.sendall(MEGABYTE)
        except OSError as error:
            self.ended = error

    def stalled(self, ahead_s=AWHILE_S):
        return self.connection.stalled(time.monotonic() + ahead_s)


def ends_of(client):
    """Read to the end, and tell which it is."""
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        return "reset"
    return "end"


def until(condition, deadline_s=DEADLINE_S):
    with gevent.Timeout(deadline_s):
        while not condition():
            gevent.sleep(0.01)


def test_one_that_reads_nothing_is_stalled_as_long_as_something_waits(pair):
    server, _ = pair
    serving = Serving(server)
    until(lambda: serving.stalled(0)[0] > 0.2)
    stalled_s, cause = serving.stalled()
    assert stalled_s > AWHILE_S
    assert cause is Cause.STALLED
    serving.connection.reset("over")


def test_one_that_has_taken_all_is_not_stalled(pair):
    server, client = pair
    made = []
    gevent.spawn(lambda: made.append(StreamConnection(server, 30, Neighbours()))).join()
    server.sendall(b"a little")
    assert client.recv(100) == b"a little"
    until(lambda: made[0].stalled(time.monotonic() + AWHILE_S)[0] == 0)


def test_what_came_after_the_last_look_has_not_waited_since_that(pair, monkeypatch):
    """It is on its way, to a peer that acknowledges what it gets."""
    server, _ = pair
    made = []
    gevent.spawn(lambda: made.append(StreamConnection(server, 30, Strangers()))).join()
    queued = iter([0, 5, 5])
    monkeypatch.setattr(connection, "_queued", lambda _: next(queued))
    monkeypatch.setattr(connection, "_account", lambda *_: Account(10, 0.0))
    assert [made[0].stalled(at)[0] for at in (0.0, AWHILE_S, AWHILE_S + 1)] == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("also_written", [False, True])
def test_what_waits_behind_a_heartbeat_waits_since_that_was_written(
    pair, monkeypatch, also_written
):
    made = []
    gevent.spawn(lambda: made.append(StreamConnection(pair[0], 30, Strangers()))).join()
    queued = iter([0, 5, 5, 5])
    monkeypatch.setattr(connection, "_queued", lambda _: next(queued))
    monkeypatch.setattr(connection, "_account", lambda *_: Account(10, 0.0))
    one, beaten_at = made[0], time.monotonic()
    one.stalled(beaten_at)
    assert one.owes_nothing(beaten_at)
    one.beaten_at = beaten_at
    if also_written:
        one.about_to_write()
    assert one.stalled(beaten_at + AWHILE_S)[0] == pytest.approx(AWHILE_S)
    assert not one.owes_nothing(beaten_at + AWHILE_S)


def test_what_is_written_after_a_heartbeat_arrived_has_not_waited_since_that(pair, monkeypatch):
    made = []
    gevent.spawn(lambda: made.append(StreamConnection(pair[0], 30, Strangers()))).join()
    queued = iter([0, 0, 5])
    monkeypatch.setattr(connection, "_queued", lambda _: next(queued))
    monkeypatch.setattr(connection, "_account", lambda *_: Account(10, 0.0))
    one = made[0]
    one.stalled(0.0)
    one.owes, one.beaten_at = False, 1.0
    one.about_to_write()
    assert one.stalled(1.0 + AWHILE_S)[0] == 0


def test_one_that_reads_behind_a_shut_window_is_not_stalled(pair):
    server, client = pair
    serving = Serving(server)
    until(lambda: serving.stalled(0)[0] > 0.2)
    client.recv(10)
    assert serving.stalled()[0] == 0
    serving.connection.reset("over")


class Strangers(Neighbours):
    """As if every peer was on another machine."""

    def unread(self, sock):
        return None


def test_of_one_elsewhere_nothing_is_known_but_what_it_acknowledges(pair):
    server, client = pair
    serving = Serving(server, Strangers())
    until(lambda: serving.stalled(0)[0] > 0.2)
    client.recv(10)
    assert serving.stalled()[0] > AWHILE_S
    client.setblocking(False)

    def accepts():
        """Read what there is, and tell whether more has been accepted."""
        with contextlib.suppress(BlockingIOError):
            client.recv(65536)
        return serving.stalled()[0] == 0

    until(accepts)
    serving.connection.reset("over")


TCP = plain.IPPROTO_TCP
PROBED = {
    (plain.SOL_SOCKET, plain.SO_KEEPALIVE): 1,
    (TCP, plain.TCP_KEEPIDLE): 30,
    (TCP, plain.TCP_KEEPINTVL): 10,
    (TCP, plain.TCP_KEEPCNT): 3,
    (TCP, plain.TCP_USER_TIMEOUT): 45_000,
}


def test_the_kernel_gives_up_a_peer_elsewhere_later_than_weir_does(pair):
    server, _ = pair
    gevent.spawn(StreamConnection, server, 30, Strangers()).join()
    assert {option: server.getsockopt(*option) for option in PROBED} == PROBED


def test_the_kernel_leaves_a_peer_on_this_machine_to_weir(pair):
    server, _ = pair
    gevent.spawn(StreamConnection, server, 30, Neighbours()).join()
    assert server.getsockopt(TCP, plain.TCP_USER_TIMEOUT) == 0


def test_the_kernel_holds_little_for_a_reader_that_reads_nothing(pair):
    server, _ = pair
    gevent.spawn(StreamConnection, server, 30, Neighbours()).join()
    server.setblocking(False)
    held = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            held += server.send(MEGABYTE)
    assert held < len(MEGABYTE)


def test_a_reset_ends_the_write_that_is_in_flight_and_the_peer_gets_rst(pair):
    server, client = pair
    serving = Serving(server)
    gevent.sleep(0.1)
    serving.connection.reset("over")
    until(lambda: serving.ended)
    server.close()
    assert isinstance(serving.ended, ConnectionResetError)
    assert ends_of(client) == "reset"


def test_a_peer_that_leaves_is_told_of_at_once(pair):
    server, client = pair
    left = []
    gevent.spawn(lambda: StreamConnection(server, 30, Neighbours()).watch(left.append)).join()
    client.shutdown(plain.SHUT_WR)
    until(lambda: left)
    assert left == [Cause.GONE]


def test_a_unix_socket_does_as_well():
    server, client = socket.socketpair(socket.AF_UNIX)
    serving = Serving(server)
    until(lambda: serving.stalled(0)[0] > 0.1)
    assert serving.stalled()[0] > AWHILE_S
    client.recv(500_000)
    assert serving.stalled()[0] == 0
    serving.connection.reset("over")
    until(lambda: serving.ended)
    server.close()
    client.close()
