"""One stream, without a socket: what a reader is told that falls off the log."""

import itertools
import json

import pytest
from msgspec.structs import replace

from bus.sse import EventStreamParser
from gateway.relay import Log, Relay
from gateway.streams.readers import Readers
from tests.envelopes import enveloped, instance
from tests.events import delta, part, status
from tests.fakes.outlet import opened as opened_stream
from tests.reference import fold, state
from tests.unit.gateway.relay.entering import cloned

EVENTS = [part("", time={"start": 1}), status("busy"), *(delta(f"{n} ") for n in range(9000))]


def opened(readers):
    """The pieces of a stream whose reader has been let in."""
    pieces = opened_stream(readers, instance())
    until(pieces, lambda event: event["type"] == "server.connected")
    return pieces


def until(pieces, wanted):
    parser, got = EventStreamParser(), []
    for piece in pieces:
        got += [json.loads(event.data) for event in parser.feed(piece)]
        if got and wanted(got[-1]):
            return got
    raise AssertionError(f"the stream ended; got {got[-3:]}")


def test_a_reader_that_fell_off_the_log_is_caught_up_in_place():
    readers = Readers(Relay(Log(max_events=2000)), 10)
    envelopes = enveloped([*EVENTS, status("idle")])
    pieces = opened(readers)
    readers.relay.append(envelopes[:50])
    first = until(pieces, lambda event: event["type"] == "message.part.delta")
    readers.relay.append(envelopes[50:])
    got = first + until(pieces, lambda e: e["properties"].get("status") == {"type": "idle"})
    assert readers.catch_ups == {"caught_up": 1}
    pieces.close()
    assert state(got) == state([*EVENTS, status("idle")])


def test_a_reader_that_missed_what_nobody_knows_is_reset():
    readers = Readers(Relay(), 10)
    envelopes = enveloped(EVENTS)
    pieces = opened(readers)
    readers.relay.append(envelopes[:50])
    until(pieces, lambda event: event["type"] == "message.part.delta")
    readers.relay.load(cloned([replace(envelopes[60], epoch="later", seq=1)], 0))
    with pytest.raises(ConnectionResetError):
        list(itertools.islice(pieces, 100))


def test_what_a_reader_is_told_first_is_one_with_what_follows():
    readers = Readers(Relay(), 10)
    envelopes = enveloped([*EVENTS, status("idle")])
    readers.relay.append(envelopes[:500])
    pieces = opened(readers)
    readers.relay.append(envelopes[500:])
    got = until(pieces, lambda e: e["properties"].get("status") == {"type": "idle"})
    assert fold(got).parts == fold(EVENTS).parts
    assert +readers.resumes == {"fresh": 1}
