"""An event stream that writes to a real socket, its request being answered."""

import contextlib
import json
import os
import socket as plain
import struct
import time
from collections import Counter
from functools import partial
from random import Random

import gevent
import pytest
from gevent import socket

from bus.ids import Ids
from bus.sse import EventStreamParser
from gateway.door import wire as wire_module
from gateway.door.slots import Slots
from gateway.door.slow_lane import SlowLane
from gateway.door.wire import Wire
from gateway.proxy.failures import ClientGone
from gateway.relay import Relay
from gateway.relay.frames import in_chunks
from gateway.streams.connection import StreamConnection
from gateway.streams.evictions import Cause
from gateway.streams.heartbeats import Heartbeats
from gateway.streams.neighbour import Neighbours
from gateway.streams.outlet import Outlet
from gateway.streams.readers import Readers
from gateway.streams.stream import Stream
from tests.envelopes import DIRECTORY, enveloped, instance
from tests.events import delta, status
from tests.processes import DEADLINE_S

LAST_CHUNK = b"0\r\n\r\n"


def until(condition):
    with gevent.Timeout(DEADLINE_S):
        while not condition():
            gevent.sleep(0.001)


def is_closed(wire):
    return wire.sock.fileno() == -1


class Worker:
    """Readers, and how their streams leave their requests."""

    def __init__(self):
        self.readers = Readers(Relay(), limit=100)
        self.slots = Slots(100, 100)
        self._rounds = gevent.spawn(self.readers.lanes.run)

    def stream(self, chunked=True, buffer=None):
        """Open a stream; return the client's end of it and the server's, once its lane has it."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            client = plain.socket()
            if buffer:
                client.setsockopt(plain.SOL_SOCKET, plain.SO_RCVBUF, buffer)
            client.connect(listener.getsockname())
            client.setblocking(False)
            accepted, _ = listener.accept()
        self.slots.come()
        wire = Wire(accepted, "127.0.0.1", self.slots, SlowLane())
        gevent.spawn(self._answer, wire, chunked)
        until(lambda: wire.handed_over)
        return client, wire

    def _answer(self, wire, chunked):
        connection = StreamConnection(wire.sock, 30, Neighbours())
        reader = self.readers.open(instance(), from_now=True)
        wire.begin_request(False)
        wire.become_stream()
        stream = Stream(self.readers, reader, wire, connection, Ids(), Heartbeats(60.0, Ids()))
        for piece in stream:
            wire.send(in_chunks((piece,)) if chunked else piece)
        assert stream.take_over(chunked)
        wire.end_request()

    def publish(self, *events, source="p1"):
        self.readers.relay.append(enveloped(list(events), source=source))
        self.readers.lanes.log_has_grown()

    def is_empty(self):
        return len(self.readers) == 0 and not self.slots._open

    def close(self):
        self.readers.close()
        self._rounds.kill()


@pytest.fixture
def worker():
    one = Worker()
    yield one
    one.close()


DISPOSED = {"type": "server.instance.disposed", "properties": {"directory": DIRECTORY}}


def rest(client):
    """Return all that comes up to the end of the connection, and whether that is a reset."""
    got = b""
    with gevent.Timeout(DEADLINE_S):
        while True:
            try:
                data = client.recv(65536)
            except ConnectionResetError:
                return got, True
            except BlockingIOError:
                gevent.sleep(0.001)
                continue
            if not data:
                return got, False
            got += data


@pytest.mark.parametrize("chunked", [True, False])
def test_a_stream_whose_instance_is_disposed_is_ended_as_a_whole_one(worker, chunked):
    client, _ = worker.stream(chunked)
    worker.publish(delta("a"), DISPOSED)
    got, is_reset = rest(client)
    assert not is_reset
    assert got.count(LAST_CHUNK) == chunked
    assert got.endswith(LAST_CHUNK if chunked else b"\n\n")
    assert got.index(b'"delta":"a"') < got.index(b"server.instance.disposed")
    client.close()
    until(worker.is_empty)
    assert worker.readers.evictions["disposed"] == 1


def test_of_a_stream_whose_peer_leaves_before_the_last_chunk_nothing_is_left(worker):
    client, wire = worker.stream()
    send_last = wire.send_last

    def leave_first(data):
        client.close()
        send_last(data)

    wire.send_last = leave_first
    worker.publish(DISPOSED)
    until(worker.is_empty)
    assert is_closed(wire)


def test_a_peer_that_does_not_take_the_last_chunk_is_given_up(worker, monkeypatch):
    monkeypatch.setattr(wire_module, "_TAKES_WITHIN_S", 0.0)
    client, wire = worker.stream()
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(wire.sock.fileno(), bytes(100_000))
    sending = gevent.spawn(wire.send_last, LAST_CHUNK)
    gevent.sleep(0)
    worker.slots.sweep()
    sending.join(DEADLINE_S)
    assert isinstance(sending.exception, ClientGone)
    client.close()


def test_of_a_stream_that_ends_before_its_greenlet_starts_nothing_is_left(worker):
    client, wire = worker.stream()
    reader, *_ = worker.readers
    reader.outlet.work()
    reader.leave(Cause.STALLED)
    assert rest(client)[1]
    assert worker.is_empty()
    assert is_closed(wire)


def connections_up_to(fileno):
    """Connections until one has this number: a new one gets the lowest that is free."""
    found = []
    while fileno not in {one.fileno() for one in found}:
        found += plain.socketpair()
        assert len(found) < 2000
    return found


def test_what_is_said_after_the_end_of_a_stream_reaches_no_other_connection(worker):
    """Their file descriptors have its number."""
    heartbeats = Heartbeats(1.0, Ids())
    staying, _ = worker.stream()
    for number in range(30):
        client, wire = worker.stream()
        reader = max(worker.readers, key=lambda one: one.opened_at)
        heartbeats.add(reader)
        fileno = wire.sock.fileno()
        if number % 3:
            worker.publish(delta("x" * (100_000 if number % 2 else 10)), source=f"p{number}")
            gevent.sleep(0)
        if number % 4:
            reader.leave(Cause.STALLED)
        client.close()
        until(partial(is_closed, wire))
        others = connections_up_to(fileno)
        worker.publish(delta("y"), source=f"q{number}")
        heartbeats.beat(time.monotonic() + 10)
        until(lambda: b'"y"' in taken(staying))
        for one in others:
            with pytest.raises(BlockingIOError):
                one.recv(1, plain.MSG_DONTWAIT)
        for one in others:
            one.close()
    staying.close()
    until(worker.is_empty)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_reader_that_reads_in_bursts_gets_what_one_gets_that_reads_at_once(
    worker, chunked, monkeypatch
):
    """It goes from its lane to a greenlet and back, again and again."""
    writes = Counter()
    send = Outlet.send

    def counted(outlet, data):
        rest = send(outlet, data)
        writes["part" if rest is not None and len(rest) < len(data) else "other"] += 1
        return rest

    monkeypatch.setattr(Outlet, "send", counted)
    fast, _ = worker.stream(chunked)
    slow, wire = worker.stream(chunked, buffer=4096)
    reader = max(worker.readers, key=lambda one: one.opened_at)
    wire.sock.setsockopt(plain.SOL_SOCKET, plain.SO_SNDBUF, 4096)
    switched, rounds = Counter(), 100
    text = {fast: b"", slow: b""}
    told = ""
    random = Random(chunked)
    for number in range(rounds):
        piece = f"{number}:" + random.choice("abc") * random.choice((10, 1000, 10_000))
        told += piece
        worker.publish(delta(piece), source=f"p{number:03}")  # sources are in this order
        gevent.sleep(0.001)
        switched[reader.rank is None] += 1
        text[fast] += taken(fast)
        while number % 5 == 0 and reader.rank is None:
            text[slow] += taken(slow)
            gevent.sleep(0)
    worker.publish(status("idle"), source="z")
    for client in text:
        while b"session.status" not in text[client]:
            text[client] += taken(client)
            gevent.sleep(0)
        assert deltas(text[client], chunked) == told
    until(lambda: reader.rank is not None)
    assert min(switched.values()) > rounds // 10
    assert writes["part"] >= 3


@pytest.mark.parametrize("chunked", [True, False])
def test_a_heartbeat_has_the_form_of_the_answer(worker, chunked):
    client, _ = worker.stream(chunked)
    reader, *_ = worker.readers
    heartbeats = Heartbeats(10.0, Ids())
    heartbeats.add(reader)
    got = taken(client)
    heartbeats.beat(time.monotonic() + 10.0)
    got += taken(client)
    assert [event["type"] for event in events(got, chunked)] == [
        "server.connected",
        "server.heartbeat",
    ]
    client.close()


def test_a_write_that_finds_the_peer_gone_ends_the_stream(worker):
    client, wire = worker.stream()
    reader, *_ = worker.readers
    client.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    reader.outlet.beat(b"anybody?", time.monotonic())
    assert reader.gone
    assert is_closed(wire)
    assert worker.is_empty()


def taken(client):
    """Return what there is to read by now."""
    got = b""
    with contextlib.suppress(BlockingIOError):
        while data := client.recv(65536):
            got += data
    return got


def deltas(data, chunked):
    """Return the text of all deltas."""
    return "".join(one["properties"].get("delta", "") for one in events(data, chunked))


def events(data, chunked):
    """Return the events of a stream, once the chunks around them are taken away."""
    if chunked:
        chunks, data = data, b""
        while chunks:
            size, _, chunks = chunks.partition(b"\r\n")
            data += chunks[: int(size, 16)]
            assert chunks[int(size, 16) :][:2] == b"\r\n"
            chunks = chunks[int(size, 16) + 2 :]
    return [json.loads(one.data) for one in EventStreamParser().feed(data)]


def test_little_that_is_left_of_a_long_step_keeps_nothing_else_in_memory(worker, monkeypatch):
    client, _ = worker.stream()
    reader, *_ = worker.readers
    with monkeypatch.context() as patched:
        patched.setattr(reader.outlet, "_write_now", lambda data: len(data) - 10)
        rest = reader.outlet.send(b"x" * 1_000_000)
    assert (bytes(rest), len(rest.obj)) == (b"x" * 10, 10)
    client.close()
