"""Bus addresses: the two sockets of those that can be used, and words for the others."""

import pytest

from bus.transport.endpoints import Endpoints, InvalidEndpoint


@pytest.mark.parametrize(
    ("url", "events", "commands"),
    [
        ("ipc:///run/weir", "ipc:///run/weir/events", "ipc:///run/weir/commands"),
        ("ipc:///run/weir/", "ipc:///run/weir/events", "ipc:///run/weir/commands"),
        ("tcp://127.0.0.1:5000", "tcp://127.0.0.1:5000", "tcp://127.0.0.1:5001"),
        ("tcp://127.8.8.8:1", "tcp://127.8.8.8:1", "tcp://127.8.8.8:2"),
        ("tcp://localhost:65534", "tcp://localhost:65534", "tcp://localhost:65535"),
        ("tcp://[::1]:5000", "tcp://[::1]:5000", "tcp://[::1]:5001"),
    ],
)
def test_an_address_gives_two_sockets(url, events, commands):
    endpoints = Endpoints.parse(url)
    assert endpoints == Endpoints(events, commands)
    assert Endpoints.parse(endpoints.url) == endpoints


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("", "ipc:///FOLDER and tcp://HOST:PORT"),
        ("ipc://", "ipc:///FOLDER, an absolute path"),
        ("ipc:///", "ipc:///FOLDER, an absolute path"),
        ("ipc://run/weir", "ipc:///FOLDER, an absolute path"),
        ("ipc:///run\0weir", "ipc:///FOLDER, an absolute path"),
        ("tcp://[::1", "tcp://HOST:PORT"),
        ("tcp://u:p@127.0.0.1:5", "tcp://HOST:PORT"),
        ("tcp://127.0.0.1:5/x", "tcp://HOST:PORT"),
        ("/run/weir", "ipc:///FOLDER and tcp://HOST:PORT"),
        ("inproc://weir", "ipc:///FOLDER and tcp://HOST:PORT"),
        ("TCP://127.0.0.1:5000", "ipc:///FOLDER and tcp://HOST:PORT"),
        ("tcp://127.0.0.1", "a port of 1 to 65534"),
        ("tcp://127.0.0.1:", "a port of 1 to 65534"),
        ("tcp://127.0.0.1:0", "a port of 1 to 65534"),
        ("tcp://127.0.0.1:65535", "a port of 1 to 65534"),
        ("tcp://127.0.0.1:99999", "a port of 1 to 65534"),
        ("tcp://127.0.0.1:five", "a port of 1 to 65534"),
        ("tcp://:5000", "tcp://HOST:PORT"),
        ("tcp://0.0.0.0:5000", "a loopback address"),
        ("tcp://192.0.2.7:5000", "a loopback address"),
        ("tcp://[2001:db8::1]:5000", "a loopback address"),
        ("tcp://weir.example:5000", "a loopback address"),
        (f"ipc:///{'x' * 98}", "at most 98 bytes"),
        (f"ipc:///{'é' * 49}", "at most 98 bytes"),
    ],
)
def test_a_refusal_names_the_value_and_what_is_allowed(url, allowed):
    with pytest.raises(InvalidEndpoint) as refusal:
        Endpoints.parse(url)
    assert repr(url) in str(refusal.value)
    assert allowed in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_longest_folder_that_is_said_to_be_allowed_is():
    folder = "/" + "x" * 97
    assert Endpoints.parse(f"ipc://{folder}").commands == f"ipc://{folder}/commands"
