"""One gateway, several processors: what one does not do holds up nothing of another."""

import json
import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
import zmq

from bus import clone
from bus.codec import Batch, encode
from bus.commands import Command, Done, Request, SnapshotGet
from bus.endpoints import Endpoints
from bus.events import from_json
from bus.sockets import responder_socket
from tests.blackbox.processor_driver import processor
from tests.blackbox.source import MARKER, Source, source
from tests.envelopes import DIRECTORY, dump
from tests.http_client import call
from tests.processes import DEADLINE_S, free_port, running, wait_until
from tests.reference import State
from tests.sse_client import SseClient

_decode = msgspec.msgpack.Decoder(Request).decode
_encode = msgspec.msgpack.Encoder().encode

DELTAS = 20
PROMPT = f"rate 200 {DELTAS}"
AT_ONCE_S = 2.0
"""From the end of a turn to a reader, who waits for nobody else."""

COMMAND_FAILS_S = 7.0
"""Three seconds of silence, and what a busy machine adds; a command may take ten."""


@contextmanager
def gateway(folder, *buses):
    """The process of a gateway with one worker, and its URL."""
    port = free_port()
    flags = ["--bus", ",".join(buses), "--port", str(port), "--workers", "1"]
    flags += ["--heartbeat-ms", "1000"]
    with running("-m", "gateway", *flags, log=folder / "gateway.log", cwd=folder) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: serves(url), what="a worker")
        yield process, url


def serves(url):
    try:
        return call("GET", f"{url}/weir/livez").status == 200
    except OSError:
        return False


@pytest.fixture
def both(short_folder):
    homes = [short_folder / name for name in ("a", "b")]
    for home in homes:
        home.mkdir()
    with processor(homes[0]) as first, processor(homes[1]) as second:
        yield first, second


@contextmanager
def stopped(one):
    """A processor that stands still for the time of a ``with`` block."""
    os.kill(one.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(one.pid, signal.SIGCONT)


class Follower:
    """Reads a stream, and holds what it says.

    Attributes:
        events: all of them so far, less the gateway's own.
        resumed: what the first event says.
        last_id: the last id that came.
    """

    def __init__(self, stream: SseClient) -> None:
        self._stream = stream
        self._state = State()
        self.events: list[dict[str, Any]] = []
        self.last_id = ""
        self.resumed = self.read()["properties"]["resumed"]

    def read(self) -> dict[str, Any]:
        event = self._stream.next()
        self.last_id = event.id or self.last_id
        payload: dict[str, Any] = json.loads(event.data)["payload"]
        if not payload["type"].startswith("server."):
            self.events.append(payload)
            self._state.apply(payload)
        return payload

    def until_it_holds(self, answer: dict[str, Any], within_s: float = DEADLINE_S) -> None:
        """Read until a turn's answer is there; beats keep this from waiting for ever."""
        until = time.monotonic() + within_s
        session = answer["info"]["sessionID"]
        while answer not in self._state.messages_of(session):
            self.read()
            assert time.monotonic() < until, f"not within {within_s} s"


@contextmanager
def following(url, last_id=""):
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with SseClient(f"{url}/global/event?superseded=keep", headers) as stream:
        yield Follower(stream)


def turn_at_once(one, reader):
    """Have a turn made, and see that a reader has all of it at once."""
    answer = one.turn(one.session(), PROMPT)
    reader.until_it_holds(answer, AT_ONCE_S)


def test_a_processor_that_stands_still_does_not_hold_up_the_start_of_a_worker(both, short_folder):
    first, second = both
    session = second.session()
    with (
        stopped(second),
        gateway(short_folder, first.bus, second.bus) as (process, url),
        following(url) as reader,
    ):
        turn_at_once(first, reader)
        os.kill(second.pid, signal.SIGCONT)
        reader.until_it_holds(second.turn(session, PROMPT))
        turn_at_once(first, reader)
        assert process.output.count("joined by a snapshot") == 2


def test_a_processor_that_starts_late_joins_without_a_cut_in_any_stream(short_folder):
    for name in ("a", "b"):
        (short_folder / name).mkdir()
    with (
        processor(short_folder / "a") as first,
        processor(short_folder / "b", started=False) as late,
        gateway(short_folder, first.bus, late.bus) as (process, url),
        following(url) as reader,
    ):
        turn_at_once(first, reader)
        process.says(f"no snapshot can be had: bus {late.bus}: ")
        late.start()
        reader.until_it_holds(late.turn(late.session(), PROMPT))
        turn_at_once(first, reader)
        assert reader.last_id.count(":") == 2


def test_who_stood_in_both_goes_on_exactly_in_both_when_one_joins_late(both, short_folder):
    first, second = both
    sessions = [one.session() for one in both]
    with gateway(short_folder, first.bus, second.bus) as (process, url):
        wait_until(lambda: process.output.count("joined by a snapshot") == 2, what="both")
        with following(url) as reader:
            while reader.read()["type"] != "server.heartbeat":
                pass
    answers = [one.turn(session, PROMPT) for one, session in zip(both, sessions, strict=True)]
    with (
        stopped(second),
        gateway(short_folder, first.bus, second.bus) as (_, url),
        following(url, reader.last_id) as reader,
    ):
        assert reader.resumed
        reader.until_it_holds(answers[0])
        os.kill(second.pid, signal.SIGCONT)
        reader.until_it_holds(answers[1])
    said = [e["properties"]["delta"] for e in reader.events if e["type"] == "message.part.delta"]
    assert "".join(said).count("|") == 2 * DELTAS


def test_a_command_fails_soon_when_the_processor_that_takes_it_stands_still(both, short_folder):
    first, second = both
    with gateway(short_folder, first.bus, second.bus) as (process, url):
        wait_until(lambda: process.output.count("joined by a snapshot") == 2, what="both")
        with stopped(first):
            began = time.monotonic()
            reply = call("POST", f"{url}/session", {})
            waited_s = time.monotonic() - began
    assert reply.status == 503
    assert waited_s < COMMAND_FAILS_S


class Clerk:
    """Answers for a source what is asked of a processor at the start, and then nothing."""

    def __init__(self, source: Source) -> None:
        self._context = zmq.Context()
        self._socket = responder_socket(self._context, Endpoints.parse(source.url).commands)
        self._source = source
        self.asked: list[Command] = []
        self.mute = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._over.set()
        self._thread.join()
        self._context.destroy(linger=0)

    def _run(self):
        while not self._over.is_set():
            if not self._socket.poll(20):
                continue
            peer, data = self._socket.recv_multipart()
            request = _decode(data)
            self.asked.append(request.command)
            if isinstance(request.command, SnapshotGet) and not self.mute:
                done = Done(request.id, clone.answer(self._source.publisher))
                self._socket.send_multipart([peer, _encode(done)])


@pytest.fixture
def mute(short_folder):
    """A source that tells a snapshot to who joins, and answers nothing once it is `mute`."""
    (short_folder / "mute").mkdir()
    with source(short_folder / "mute") as one:
        clerk = Clerk(one)
        yield one, clerk
        clerk.close()


def test_a_gap_that_its_processor_does_not_fill_holds_up_no_other(mute, short_folder):
    silent, clerk = mute
    (short_folder / "a").mkdir()
    with (
        processor(short_folder / "a") as first,
        gateway(short_folder, first.bus, silent.url) as (process, url),
        following(url) as reader,
    ):
        wait_until(lambda: process.output.count("joined by a snapshot") == 2, what="both")
        clerk.mute = True
        clerk.asked.clear()
        event = from_json(dump(MARKER))
        envelopes = [silent.publisher.publish(event, DIRECTORY) for _ in range(3)]
        silent.socket.send(encode(Batch(envelopes[2:])))
        wait_until(lambda: clerk.asked, what="a question")
        turn_at_once(first, reader)
        turn_at_once(first, reader)
