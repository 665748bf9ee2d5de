"""Where a request came from: only a trusted proxy is believed."""

import pytest

from gateway.door.networks import Networks

TRUSTED = Networks.parse("10.0.0.0/8, ::1")


@pytest.mark.parametrize(
    ("peer", "came_by", "origin"),
    [
        ("203.0.113.9", "192.0.2.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", "192.0.2.66, 192.0.2.1,10.0.0.2", "192.0.2.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("::1", "2001:DB8::7", "2001:db8::7"),
        ("::1", "192.0.2.1:4711", "192.0.2.1"),
        ("::1", "[2001:db8::7]:4711", "2001:db8::7"),
        ("::1", "fe80::1%" + "x" * 9000, "fe80::1"),
        ("10.0.0.1", "192.0.2.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.1, <script>, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", ", ,", "10.0.0.1"),
        ("", "192.0.2.1", ""),
        ("10.0.0.1", "192.0.2.1," + "10.0.0.2," * 9000 + "10.0.0.2", "10.0.0.2"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(peer, came_by, origin):
    assert TRUSTED.origin(peer, came_by) == origin


def test_without_trusted_proxies_the_peer_is_the_client():
    assert Networks().origin("127.0.0.1", "192.0.2.1") == "127.0.0.1"


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "::1", "::1%lo"])
def test_an_address_is_found_in_the_form_in_which_a_socket_gives_it(address):
    assert address in TRUSTED
