"""The port of `weir up`, from its choice to the moment when the gateway listens."""

import socket
import sys

import pytest

from deploy.up import reserved

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux keeps the port so")


def test_a_reserved_port_is_for_a_listener_alone():
    with reserved("127.0.0.1", 0) as held:
        address = held.getsockname()
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(address)
        with socket.create_server(address) as listener:  # sets SO_REUSEADDR
            assert listener.getsockname() == address


def test_a_reserved_port_is_found_by_no_other_search():
    with reserved("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        found = set()
        for _ in range(1000):
            with reserved("127.0.0.1", 0) as again:
                found.add(again.getsockname()[1])
        assert port not in found
