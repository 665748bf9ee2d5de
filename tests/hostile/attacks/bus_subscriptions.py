"""Subscriptions to the bus without number."""

import time

import zmq

from bus.transport.endpoints import Endpoints
from tests.hostile.attack import NATIVE, Attack, Site

_SOCKETS = 3
_TOPIC_BYTES = 32
_AT_ONCE = 2000


def run(site: Site, count: int) -> None:
    """Subscribe to ever new topics, and come again whenever the processor hangs up."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    address = Endpoints.parse(f"ipc://{site.state}/bus").events
    peers = [context.socket(zmq.SUB) for _ in range(_SOCKETS)]
    for peer in peers:
        peer.set(zmq.SNDHWM, 0)
        peer.set(zmq.LINGER, 0)
        peer.connect(address)
    site.begin()
    for start in range(0, count, _AT_ONCE):
        for number in range(min(_AT_ONCE, count - start)):
            peers[number % _SOCKETS].subscribe(site.random.randbytes(_TOPIC_BYTES))
        time.sleep(0.01)
    for _ in site.hold():
        pass
    context.destroy(linger=0)


ATTACK = Attack(
    "{n} subscriptions to the bus", run, full=300_000, small=20_000, modes=(NATIVE,), memory_mb=200
)
