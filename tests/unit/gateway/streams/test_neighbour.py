"""What the other end of a connection has not read, where this kernel holds it."""

import socket

import pytest

from gateway.streams.neighbour import Neighbours
from tests.processes import wait_until


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_it_tells_what_a_peer_has_not_read(family, host):
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError as error:
        pytest.skip(f"{host} is not there: {error}")
    with listener, socket.create_connection(listener.getsockname()[:2]) as client:
        server, _ = listener.accept()
        with server:
            neighbours = Neighbours()
            assert neighbours.unread(server) == 0
            server.sendall(b"x" * 1000)
            wait_until(lambda: neighbours.unread(server) == 1000, what="its arrival")
            client.recv(300)
            assert neighbours.unread(server) == 700
            assert neighbours.unread(client) == 0


def test_of_one_that_is_gone_nothing_is_known():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        name = client.getsockname()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    class Left:
        family = server.family
        getsockname = staticmethod(server.getsockname)
        getpeername = staticmethod(lambda: name)

    client.close()

    with server:
        assert Neighbours().unread(Left()) is None
