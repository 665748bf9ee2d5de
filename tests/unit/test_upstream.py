"""The fake opencode holds what weir relies upon in a real one."""

import socket

import pytest

from tests.fakes.upstream import upstream
from tests.processes import DEADLINE_S, wait_until

_AT_ONCE_S = 0.2


def test_a_stream_has_no_head_before_it_is_told_what_happens():
    with upstream() as fake, socket.create_connection(("127.0.0.1", fake.port)) as client:
        with fake.server.changed:
            client.sendall(b"GET /global/event HTTP/1.1\r\nHost: fake\r\n\r\n")
            wait_until(lambda: fake.server.requests == ["/global/event"])
            client.settimeout(_AT_ONCE_S)
            with pytest.raises(TimeoutError):
                client.recv(1)
        client.settimeout(DEADLINE_S)
        assert client.recv(4) == b"HTTP"
