"""A bus over TCP: peers that do not know its secret hear nothing and command nothing."""

import msgspec
import pytest
import zmq

from bus.commands import NumberedCommand, SessionList
from bus.transport.endpoints import Endpoints
from bus.transport.secret import secured
from bus.transport.sockets import requester_socket, subscriber_socket
from tests.ports import free_port
from tests.processes import running, wait_until

SECRET = "a secret of thirty-two characters"


@pytest.fixture(scope="module")
def bus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    while True:
        port = free_port()
        if port < 65534:
            break
    url = f"tcp://127.0.0.1:{port}"
    command = ["-m", "processor", "--bus", url, "--state", str(folder / "state")]
    with running(*command, log=folder / "log", env={"WEIR_BUS_SECRET": SECRET}):
        yield Endpoints.parse(url)


def answered(bus: Endpoints, secret: str | None, within_ms: int) -> bool:
    """Tell whether a peer gets an answer to a command, or an event."""
    context = zmq.Context()
    if secret is not None:
        secured(context, bus, secret, serves=False)
    command = requester_socket(context, bus.commands)
    events = subscriber_socket(context, [bus.events])
    poller = zmq.Poller()
    poller.register(command, zmq.POLLIN)
    poller.register(events, zmq.POLLIN)
    try:
        if command.poll(within_ms, zmq.POLLOUT):
            command.send(msgspec.msgpack.encode(NumberedCommand(1, SessionList())))
        return bool(poller.poll(within_ms))
    finally:
        context.destroy(linger=0)


def test_only_peers_that_know_the_secret_are_heard_and_answered(bus):
    wait_until(lambda: answered(bus, SECRET, 1000), what="an answer to a peer with the secret")
    for wrong in (None, SECRET.upper()):
        assert not answered(bus, wrong, 1500)
    assert answered(bus, SECRET, 60_000)


@pytest.mark.parametrize("part", ["processor", "gateway"])
def test_a_bus_over_tcp_without_a_secret_is_refused(tmp_path, part):
    command = ["-m", part, "--bus", "tcp://127.0.0.1:5000", "--state", str(tmp_path / "s")]
    with running(*command, log=tmp_path / "log") as process:
        assert process.ends() == 2
    assert "--bus: every user of this machine can reach 'tcp://127.0.0.1:5000'" in process.output
    assert "WEIR_BUS_SECRET" in process.output
    with running(*command, log=tmp_path / "log", env={"WEIR_BUS_SECRET": "short"}) as process:
        assert process.ends() == 2
    assert "WEIR_BUS_SECRET: the value is not allowed; allowed is at least 32" in process.output
