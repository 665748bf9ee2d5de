"""One gateway, several processors: what one does not do holds up nothing of another."""

import threading
import time
from contextlib import contextmanager

import msgspec
import pytest
import zmq

from bus.answers import Done, Failed
from bus.commands import Command, NumberedCommand, SnapshotGet
from bus.events import from_json
from bus.transport import clone
from bus.transport.codec import Batch, encode
from bus.transport.endpoints import Endpoints
from bus.transport.sockets import responder_socket
from tests.blackbox.follower import following, gateway, stopped
from tests.blackbox.processor_driver import processor, two_processors
from tests.blackbox.source import MARKER, Source, source
from tests.envelopes import DIRECTORY, dump
from tests.events import about, part, status
from tests.http_client import call
from tests.processes import wait_until

_decode = msgspec.msgpack.Decoder(NumberedCommand).decode
_encode = msgspec.msgpack.Encoder().encode

DELTAS = 20
MESSAGE = about("message.updated", info={"id": "msg", "sessionID": "ses", "role": "user"})
PROMPT = f"rate 200 {DELTAS}"
AT_ONCE_S = 9.0
"""From the end of a turn to a reader; who waited for somebody else would do so for ten."""

COMMAND_TIMEOUT_S, COMMAND_FAILS_S = 60, 40.0
"""A command fails after three seconds of silence, and what a busy machine adds."""


@pytest.fixture
def both(short_folder):
    with two_processors(short_folder) as first_and_second:
        yield first_and_second


def turn_at_once(one, reader):
    """Have a turn made, and see that a reader has all of it at once."""
    answer = one.turn(one.session(), PROMPT)
    reader.until_it_holds(answer, AT_ONCE_S)


def test_a_processor_that_stands_still_does_not_hold_up_the_start_of_a_worker(both, short_folder):
    first, second = both
    session = second.session()
    with (
        stopped(second) as go_on,
        gateway(short_folder, first.bus, second.bus) as (process, url),
        following(url) as reader,
    ):
        turn_at_once(first, reader)
        go_on()
        reader.until_it_holds(second.turn(session, PROMPT))
        turn_at_once(first, reader)
        assert process.output.count("its current state is loaded") == 2


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
        unanswered = "the processor sends no snapshot of its sessions' current state"
        process.says(f"{unanswered}: bus {late.bus}: ")
        late.start()
        reader.until_it_holds(late.turn(late.session(), PROMPT))
        turn_at_once(first, reader)
        assert reader.last_id.count(":") == 2


def test_who_stood_in_both_goes_on_exactly_in_both_when_one_joins_late(both, short_folder):
    first, second = both
    sessions = [one.session() for one in both]
    with gateway(short_folder, first.bus, second.bus) as (process, url):
        wait_until(lambda: process.output.count("its current state is loaded") == 2, what="both")
        with following(url) as reader:
            reader.until_beats(1)
    answers = [one.turn(session, PROMPT) for one, session in zip(both, sessions, strict=True)]
    with (
        stopped(second) as go_on,
        gateway(short_folder, first.bus, second.bus) as (process, url),
    ):
        process.says("its current state is loaded")
        with following(url, reader.last_id) as reader:
            assert reader.resumed
            reader.until_it_holds(answers[0])
            go_on()
            reader.until_it_holds(answers[1])
    said = [e["properties"]["delta"] for e in reader.events if e["type"] == "message.part.delta"]
    assert "".join(said).count("|") == 2 * 2 * DELTAS  # a number and a time each, of both


def test_a_command_fails_soon_when_the_processor_that_takes_it_stands_still(both, short_folder):
    first, second = both
    flags = ["--command-timeout", str(COMMAND_TIMEOUT_S)]
    with gateway(short_folder, first.bus, second.bus, flags=flags) as (process, url):
        wait_until(lambda: process.output.count("its current state is loaded") == 2, what="both")
        with stopped(first):
            began = time.monotonic()
            reply = call("POST", f"{url}/session", {})
            waited_s = time.monotonic() - began
    assert reply.status == 503
    assert waited_s < COMMAND_FAILS_S


class Clerk:
    """Answers for a source what is asked of a processor at the start, and then what a test wants.

    Attributes:
        asked: all commands so far.
        mute: it answers nothing.
        refuses: it answers that it cannot.
    """

    def __init__(self, source: Source) -> None:
        self._context = zmq.Context()
        self._socket = responder_socket(self._context, Endpoints.parse(source.url).commands)
        self._source = source
        self.asked: list[Command] = []
        self.mute = False
        self.refuses = False
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
            if not self.mute:
                self._socket.send_multipart([peer, _encode(self._answer(request))])

    def _answer(self, request):
        if self.refuses or not isinstance(request.command, SnapshotGet):
            return Failed(request.id, "internal", "not now")
        return Done(request.id, clone.answer(self._source.publisher))


@pytest.fixture
def mute(short_folder):
    """A source that tells a snapshot to who joins, and answers nothing once it is `mute`."""
    (short_folder / "mute").mkdir()
    with source(short_folder / "mute") as one:
        clerk = Clerk(one)
        yield one, clerk
        clerk.close()


@contextmanager
def beside_another(folder, silent):
    """A processor, a gateway on it and on `silent`, both joined, and a reader of all."""
    (folder / "a").mkdir()
    with (
        processor(folder / "a") as first,
        gateway(folder, first.bus, silent.url) as (process, url),
        following(url) as reader,
    ):
        wait_until(lambda: process.output.count("its current state is loaded") == 2, what="both")
        yield first, process, reader


def publish_behind_a_gap(silent, events):
    """Have all of these published, of which the last alone arrives."""
    envelopes = [silent.publisher.publish(from_json(dump(e)), DIRECTORY) for e in events]
    silent.publisher.ledger.note(envelopes)
    silent.publisher._pending.clear()
    silent.socket.send(encode(Batch(envelopes[-1:])))


def test_a_gap_that_its_processor_does_not_fill_holds_up_no_other(mute, short_folder):
    silent, clerk = mute
    with beside_another(short_folder, silent) as (first, _, reader):
        clerk.mute = True
        clerk.asked.clear()
        publish_behind_a_gap(silent, [MARKER] * 3)
        wait_until(lambda: clerk.asked, what="a question")
        turn_at_once(first, reader)
        turn_at_once(first, reader)


def until_made_good(silent, process, words):
    """Have the source beat until the worker has its snapshot."""

    def made_good():
        silent.publisher.heartbeat()
        return words in process.output

    wait_until(made_good, what="a snapshot")


def test_a_worker_passes_nothing_of_a_source_whose_snapshot_it_cannot_have_yet(mute, short_folder):
    silent, clerk = mute
    clerk.refuses = True
    silent.publish([MESSAGE, part("told before")])
    with gateway(short_folder, silent.url) as (process, url), following(url) as reader:
        silent.publish([status("idle")])
        silent.publisher.heartbeat()
        wait_until(lambda: process.output.count("sends no snapshot") > 1, what="two attempts")
        assert reader.until_beats(1) == []
        clerk.refuses = False
        until_made_good(silent, process, "its current state is loaded")
        while reader.state.status.get("ses") != {"type": "idle"}:
            reader.read()
        assert reader.state.parts["msg"]["prt"]["text"] == "told before"


def test_a_gap_that_nobody_can_fill_yet_cuts_no_stream_and_is_made_good_once_somebody_can(
    mute, short_folder
):
    silent, clerk = mute
    events = [MESSAGE, part("told in the gap"), status("idle")]
    with beside_another(short_folder, silent) as (first, process, reader):
        clerk.refuses = True
        publish_behind_a_gap(silent, events)
        process.says("are missing until")
        turn_at_once(first, reader)
        assert "ses" not in reader.state.status
        clerk.refuses = False

        until_made_good(silent, process, "a snapshot replaces")
        while reader.state.status.get("ses") != {"type": "idle"}:
            reader.read()
        assert reader.state.parts["msg"]["prt"]["text"] == "told in the gap"
        turn_at_once(first, reader)
