"""Frames and commands of the bus that are nearly right.

Commands go to the processor under attack. A worker hears nothing but its own processor, so frames
are given to the parts of a worker that run in the attacking process.
"""

import json
import time

import msgspec
import zmq

from bus.answers import Answer
from bus.commands import (
    Describe,
    MessageList,
    NumberedCommand,
    Readiness,
    Replay,
    SessionGet,
    SnapshotGet,
)
from bus.envelope import Envelope
from bus.events import Event, from_json
from bus.transport import codec, sockets
from bus.transport.codec import Batch, MalformedFrame
from bus.transport.endpoints import Endpoints
from gateway.relay import Cursor, Endpoint, Relay, View
from tests.hostile.attack import Attack, Site
from tests.hostile.mutations import frames, mutated

_COMMANDS = (
    SessionGet("ses_1"),
    MessageList("ses_1", 10),
    Replay("e", 1),
    SnapshotGet(),
    Describe("config", "/"),
)
_VIEWS = (View(Endpoint.GLOBAL), View(Endpoint.INSTANCE, directory="/d"))
_ANSWERS_S = 120.0
_LAST = 10**9


def run(site: Site, count: int) -> None:
    """Send them all; the processor answers afterwards, and no frame leaves its lines."""
    site.begin()
    events = [from_json(json.dumps(json.loads(one)["payload"]).encode()) for one in frames()]
    for number in range(count):
        _hear(site, mutated(site.random, _frame(site, events)), number)
    _command(site, count)
    for _ in site.hold():
        pass


def _frame(site: Site, events: list[Event]) -> bytes:
    some = [site.random.choice(events) for _ in range(site.random.randint(1, 4))]
    return codec.encode(
        Batch([Envelope("p", "abc", seq, 1, "/d", None, None, e) for seq, e in enumerate(some, 1)])
    )


def _hear(site: Site, data: bytes, number: int) -> None:
    try:
        frame = codec.decode(data)
    except MalformedFrame:
        return
    relay = Relay()
    relay.append(frame.envelopes if isinstance(frame, Batch) else [])
    for view in _VIEWS:
        cursor = Cursor(0)
        while (step := relay.step(cursor, view)) is not None:
            cursor = step.cursor
            lines = b"".join(step.pieces).split(b"\n")
            if step.pieces and not all(map(_is_a_line, lines)):
                site.wrong.append(f"frame {number} leaves its lines: {lines!r}"[:500])
    for ledger in relay.ledgers.values():
        for upsert in ledger.changed(-1):
            upsert.envelope()


def _is_a_line(line: bytes) -> bool:
    return b"\r" not in line and (not line or line.startswith((b"id: ", b"data: ")))


def _command(site: Site, count: int) -> None:
    """Send the commands, and read their answers as they come."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    address = Endpoints.parse(f"ipc://{site.state}/bus").commands
    socket = sockets.requester_socket(context, address)
    encode = msgspec.msgpack.encode
    socket.poll(1000, zmq.POLLOUT)
    try:
        for number in range(count):
            data = encode(NumberedCommand(number, site.random.choice(_COMMANDS)))
            socket.send(mutated(site.random, data))
            while socket.poll(0):
                socket.recv()
        end = time.monotonic() + _ANSWERS_S
        while time.monotonic() < end:
            # An answer is dropped while the answers to all others fill the queue.
            socket.send(encode(NumberedCommand(_LAST, Readiness())))
            while socket.poll(500):
                if _id_of(socket.recv()) == _LAST:
                    return
        site.wrong.append("the processor answers no command any more")
    finally:
        socket.close(0)
        context.term()


def _id_of(answer: bytes) -> int | None:
    """Return the id of an answer; an answer to what was mutated may be anything."""
    try:
        return msgspec.msgpack.decode(answer, type=Answer).id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


ATTACK = Attack("{n} frames and commands of the bus, mutated", run, full=20_000, small=500)
