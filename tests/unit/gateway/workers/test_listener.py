"""Which socket a `--host` and a `--port` stand for."""

import errno
import os
import socket
import sys
from contextlib import closing

import pytest

from bus.process.flags import BadFlag
from gateway.workers import listener
from gateway.workers.listener import listen
from tests.processes import DEADLINE_S


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")


def reaches(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), 5):
            return True
    except OSError:
        return False


def names(monkeypatch, **hosts: list[str]) -> None:
    """Have names stand for addresses, as `/etc/hosts` would."""
    known = socket.getaddrinfo

    def resolve(host, *args, **how):
        found = hosts.get(host)
        if found is None:
            return known(host, *args, **how)
        return [one for address in found for one in known(address, *args, **how)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def refusal(host: str) -> str:
    with pytest.raises(BadFlag) as refused:
        listen(host, 0)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@needs_ipv6
@pytest.mark.parametrize("host", ["::", "[::]", "0:0:0:0:0:0:0:0"])
def test_all_addresses_are_ipv4_ones_too_whatever_the_system_says(host):
    with closing(listen(host, 0)) as one:
        assert not one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        port = one.getsockname()[1]
        assert reaches("127.0.0.1", port)
        assert reaches("::1", port)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has that option")
def test_a_connection_without_a_word_is_not_given_to_the_gateway_at_once():
    with closing(listen("127.0.0.1", 0)) as one:
        address = one.getsockname()
        with socket.create_connection(address), socket.create_connection(address) as speaks:
            speaks.sendall(b"x")
            one.settimeout(DEADLINE_S)
            first, peer = one.accept()
            first.close()
            assert peer == speaks.getsockname()
            second, _ = one.accept()  # its second is over
            second.close()


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_one_ipv6_address_is_listened_on_alone(host):
    with closing(listen(host, 0)) as one:
        port = one.getsockname()[1]
        assert reaches("::1", port)
        assert not reaches("127.0.0.1", port)


@needs_ipv6
def test_a_name_with_ipv6_addresses_alone_is_listened_on_there(monkeypatch):
    names(monkeypatch, six=["::1"])
    with closing(listen("six", 0)) as one:
        assert one.getsockname()[0] == "::1"


def test_of_several_addresses_the_first_ipv4_one_that_is_here_is_taken(monkeypatch):
    names(monkeypatch, both=["::1", "192.0.2.1", "127.0.0.1"])
    with closing(listen("both", 0)) as one:
        assert one.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "host",
    ["192.0.2.1", "2001:db8::1", "no.such.name.invalid", "a..b", "x" * 70, "[::1", "::1%no"],
)
def test_what_is_no_address_of_this_machine_is_refused(host):
    assert refusal(host).startswith(f"--host: {host!r} is not allowed (")


def test_without_ipv6_an_ipv6_address_is_refused(monkeypatch):
    def none_such(*_):
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(listener.socket, "socket", none_such)
    assert "Address family not supported" in refusal("::")
