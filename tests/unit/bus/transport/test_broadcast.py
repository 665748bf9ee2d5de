"""The sending end of a bus: its peers cannot make it hold topics without number."""

from functools import partial

import pytest
import zmq

from bus.transport import broadcast, sockets
from bus.transport.broadcast import MOST_TOPICS, Broadcast
from tests.blackbox.gateway_on_bus import temporary_folder
from tests.processes import free_port, wait_until


@pytest.fixture(params=["ipc", "tcp"])
def address(request):
    with temporary_folder() as folder:
        where = {"ipc": f"ipc://{folder}/events", "tcp": f"tcp://127.0.0.1:{free_port()}"}
        yield where[request.param]


@pytest.fixture
def context():
    with zmq.Context() as context:
        yield context
        context.destroy(linger=0)


def hears(sender, subscriber):
    sender.tend()
    sender.send(b"frame")
    return bool(subscriber.poll(5)) and subscriber.recv() == b"frame"


def test_past_the_bound_it_is_bound_anew_and_subscribers_come_again(
    context, address, monkeypatch, caplog
):
    monkeypatch.setattr(broadcast, "_LEAST_AGE_S", 0.0)
    sender = Broadcast(context, address)
    weir = sockets.subscriber_socket(context, [address])
    wait_until(lambda: hears(sender, weir), what="a subscriber")
    greedy = context.socket(zmq.SUB)
    greedy.set(zmq.SNDHWM, 0)
    greedy.connect(address)
    for number in range(MOST_TOPICS + 1):
        greedy.subscribe(b"%d" % number)
    wait_until(lambda: hears(sender, weir) and "opened again" in caplog.text, what="the bound")
    greedy.close(0)
    wait_until(lambda: hears(sender, weir), what="the subscriber again")
    sender.close(0)


def test_subscribers_that_come_and_go_are_within_the_bound(context, address, caplog):
    sender = Broadcast(context, address)
    for _ in range(20):
        weir = sockets.subscriber_socket(context, [address])
        wait_until(partial(hears, sender, weir), what="a subscriber")
        weir.close(0)
    assert "opened again" not in caplog.text
    sender.close(0)
