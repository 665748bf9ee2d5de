"""The receiving process of the bus benchmark: counts what arrives, by one of two codes.

``python -m tests.benchmarks.bus_receiver ADDRESS CODE SOCKETS`` connects, says so, and after the
sender's last word tells ``{"received", "last_ns", "cpu_s"}``; ``cpu_s`` counts from the first
frame.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import msgspec
import zmq
import zmq.green

from bus.envelope import Envelope
from bus.transport.gap_repair import Deliver, NeedSnapshot, Unanswered
from bus.transport.link import EventInlet
from bus.transport.subscriber import Subscriber


def main(address: str, code: str, sockets: str) -> None:
    """Receive until the sender says that nothing follows."""
    context: Any = zmq.green.Context() if sockets == "green" else zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.set(zmq.RCVHWM, 0)
    socket.subscribe(b"")
    socket.connect(address)
    print(json.dumps("connected"), flush=True)
    receive = _weir(socket) if code == "weir" else _bare(socket)
    received = receive()
    cpu_s = time.process_time()
    while count := receive():
        received += count
    last_ns = time.monotonic_ns()
    cpu_s = time.process_time() - cpu_s
    print(json.dumps({"received": received, "last_ns": last_ns, "cpu_s": cpu_s}), flush=True)
    context.destroy(linger=0)


def _weir(socket: Any) -> Callable[[], int]:
    """Return what receives a frame and returns the number of its events: 0 in a heartbeat."""
    subscriber = Subscriber(EventInlet(socket))

    def receive() -> int:
        outcome = subscriber.receive()
        if isinstance(outcome, NeedSnapshot):
            outcome = subscriber.answer(Unanswered("nobody to ask", gone=True))
        return len(outcome.envelopes) if isinstance(outcome, Deliver) else 0

    return receive


def _bare(socket: Any) -> Callable[[], int]:
    recv, decode = socket.recv, msgspec.msgpack.Decoder(Envelope).decode

    def receive() -> int:
        data = recv()
        if not data:
            return 0
        decode(data)
        return 1

    return receive


if __name__ == "__main__":
    main(*sys.argv[1:])
