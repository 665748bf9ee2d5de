"""The sending end of the bus benchmark, by weir's code and by the barest that does the job."""

import time
from collections.abc import Sequence

import msgspec
import zmq

from bus.envelope import Envelope
from bus.epoch import new_epoch
from bus.events import Delta
from bus.transport.publisher import Publisher
from tests.benchmarks.payload import DIRECTORY, PROJECT

SOURCE = "p1"


def weir(socket: zmq.Socket[bytes], events: Sequence[Delta], batch: int) -> None:
    """Publish `events`; after each `batch` the loop turn ends, as it does in the processor."""
    publisher = Publisher(socket, SOURCE, defer=None if batch == 1 else lambda _flush: None)
    for first in range(0, len(events), batch):
        for event in events[first : first + batch]:
            publisher.publish(event, DIRECTORY, PROJECT)
        publisher.flush()
    publisher.heartbeat()


def bare(socket: zmq.Socket[bytes], events: Sequence[Delta], _batch: int) -> None:
    """Encode and send each event in an envelope, then an empty frame, and do nothing else."""
    encode, send, now_ns = msgspec.msgpack.Encoder().encode, socket.send, time.time_ns
    epoch = new_epoch()
    for seq, event in enumerate(events, start=1):
        send(encode(Envelope(SOURCE, epoch, seq, now_ns(), DIRECTORY, PROJECT, None, event)))
    send(b"")
