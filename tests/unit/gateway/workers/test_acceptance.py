"""Who is served first: clients that have spoken, whoever connected before."""

import os
import struct
from contextlib import ExitStack, suppress

import gevent
import pytest
from gevent import socket
from gevent.pool import Group

from gateway.door.slots import Slots
from gateway.workers.acceptance import Acceptance
from tests.processes import DEADLINE_S

SILENT = 50


class Crowd:
    """Silent clients, then clients that speak, all of them in the listening socket."""

    def __init__(self, stack, connections=1000, speakers=1, shared=True):
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(SILENT * 2)
        self.clients = []
        for _ in range(SILENT + speakers):
            client = socket.create_connection(listener.getsockname())
            self.clients.append(stack.enter_context(client))
        for client in self.clients[SILENT:]:
            client.sendall(b"x")
        self.served = []
        self.slots = Slots(connections, connections)
        self.server = Acceptance(listener, self._serve, Group(), self.slots, shared)
        stack.callback(self.server.close)

    def _serve(self, sock, address):
        self.served.append(address[1])
        sock.settimeout(DEADLINE_S)
        assert sock.recv(1) in (b"x", b"")
        sock.close()
        self.slots.leave(sock)

    def ports(self, some):
        return [client.getsockname()[1] for client in some]

    def until(self, count):
        with gevent.Timeout(DEADLINE_S):
            while len(self.served) < count:
                gevent.sleep(0.001)


@pytest.fixture
def stack():
    with ExitStack() as one:
        yield one


def test_a_client_that_speaks_is_served_before_silent_ones(stack):
    crowd = Crowd(stack)
    crowd.server.start()
    crowd.until(1)
    speaker = crowd.ports(crowd.clients[SILENT:])
    assert crowd.served[:1] == speaker
    crowd.until(SILENT + 1)
    assert sorted(crowd.served) == sorted(crowd.ports(crowd.clients))


def test_a_worker_among_others_takes_a_few_at_once(stack):
    crowd = Crowd(stack, speakers=9)
    taken = []
    crowd.server.do_handle = lambda fd, address: (
        taken.append(fd),
        Acceptance.do_handle(crowd.server, fd, address),
    )
    crowd.server.init_socket()
    crowd.server._do_read()
    assert len(taken) == SILENT + 4
    crowd.server._do_read()
    assert len(taken) == SILENT + 8


def test_a_client_that_has_reset_its_connection_is_not_served(stack):
    crowd = Crowd(stack, speakers=3)
    reset, ended, speaker = crowd.clients[SILENT:]
    reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone = crowd.ports([reset])
    reset.close()
    ended.shutdown(socket.SHUT_WR)
    opened = own_sockets()
    crowd.server.start()
    crowd.until(SILENT + 2)
    assert crowd.served[:2] == crowd.ports([ended, speaker])
    assert gone[0] not in crowd.served
    # What is left are the silent connections.
    assert len(own_sockets() - opened) == SILENT
    assert crowd.slots._open == SILENT


def own_sockets():
    """Return the names of this process's sockets; other tests' sockets may end meanwhile."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.add(os.readlink(f"/proc/self/fd/{number}"))
    return {name for name in found if name.startswith("socket:")}


def test_a_silent_client_is_served_when_it_speaks(stack):
    crowd = Crowd(stack)
    crowd.server.start()
    crowd.until(SILENT + 1)
    with gevent.Timeout(DEADLINE_S):
        crowd.clients[0].sendall(b"x")
        assert crowd.clients[0].recv(1) == b""


def test_past_the_slots_connections_wait_in_the_listening_socket(stack):
    crowd = Crowd(stack, connections=10, speakers=0)
    crowd.server.start()
    crowd.until(10)
    gevent.sleep(0.01)
    assert len(crowd.served) == 10
    crowd.clients[0].close()
    crowd.until(11)


def test_what_is_accepted_is_served_when_no_more_is_accepted(stack):
    crowd = Crowd(stack)
    crowd.server.init_socket()
    crowd.server._do_read()
    crowd.server.close()
    crowd.until(SILENT + 1)
