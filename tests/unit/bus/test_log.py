"""The log: within its bounds it repeats exactly what was appended, past them it says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.answers import CommandFailed, Done
from bus.commands import Replay
from bus.log import HELD_S, LONG_RUN_EVENTS, SEGMENT_EVENTS, FellOff, Log
from bus.transport.publisher import Publisher
from bus.transport.replay import CannotRepair, answer, fetch
from tests.envelopes import enveloped


def deltas(count):
    ids = {"sessionID": "s", "messageID": "m", "partID": "p", "field": "text"}
    return enveloped(
        {"type": "message.part.delta", "properties": {**ids, "delta": f"{n:04d}"}}
        for n in range(count)
    )


def large(size):
    return enveloped([{"type": "x", "properties": {"text": "x" * size}}])


def log_of(envelopes, **bounds):
    log = Log(**bounds)
    for envelope in envelopes:
        log.append(envelope)
    return log


def rest_of(log, position):
    found = []
    while position < log.head:
        run = log.run(position)
        found += run.envelopes
        position = run.end
    return found


@given(st.integers(1, 6000), st.integers(1, 4000), st.data())
def test_what_it_holds_it_repeats_exactly(count, bound, data):
    appended = deltas(count)
    log = log_of(appended, max_events=bound)
    assert log.head == count
    assert min(count, bound) - SEGMENT_EVENTS <= log.head - log.tail <= bound + 2 * SEGMENT_EVENTS
    position = data.draw(st.integers(0, count))
    if position < log.tail:
        with pytest.raises(FellOff):
            log.run(position)
    else:
        assert rest_of(log, position) == appended[position:]


def test_it_is_bounded_by_bytes():
    log = log_of(deltas(20_000), max_bytes=3_000_000)
    assert 2_000_000 < log.size <= 3_000_000 + 2 * SEGMENT_EVENTS * 1004


def test_one_event_past_the_bound_is_let_go_after_a_while_and_what_follows_is_held():
    log = log_of([*deltas(3), *large(5_000_000)], max_bytes=3_000_000)
    log.let_go(100.0)
    log.let_go(100.0 + HELD_S - 0.1)
    assert rest_of(log, 0)
    log.let_go(100.0 + HELD_S)
    assert (log.size, log.tail, log.head) == (0, 4, 4)
    for envelope in deltas(3):
        log.append(envelope)
    log.let_go(200.0)
    log.let_go(300.0)
    assert rest_of(log, 4) == deltas(3)


def test_an_event_past_the_bound_is_held_as_long_whenever_it_came():
    log = log_of(large(5_000_000), max_bytes=3_000_000)
    log.let_go(100.0)
    log.append(*large(6_000_000))
    log.let_go(100.0 + HELD_S)
    assert rest_of(log, 1) == large(6_000_000)
    log.let_go(100.0 + 2 * HELD_S)
    assert log.size == 0


def test_a_run_ends_at_a_cut_wherever_it_begins():
    log = log_of(deltas(3000))
    ends = {log.run(position).end for position in range(0, 2000, 7)}
    assert ends == {SEGMENT_EVENTS, 2 * SEGMENT_EVENTS}


def test_a_long_run_crosses_cuts_and_has_bounds():
    log = log_of(deltas(3000))
    run = log.long_run(5)
    assert (run.end, run.envelopes) == (3000, deltas(3000)[5:])
    log = log_of(deltas(2 * LONG_RUN_EVENTS))
    assert LONG_RUN_EVENTS - SEGMENT_EVENTS < len(log.long_run(0).envelopes) <= LONG_RUN_EVENTS


class Unheard:
    """A socket nobody listens to."""

    def send(self, frame):
        """Drop it."""


class Asked:
    """A requester whose processor is a publisher in this process."""

    def __init__(self, publisher):
        self.publisher = publisher
        self.calls = 0

    def insist(self, command):
        """Answer at once."""
        self.calls += 1
        return Done(1, answer(self.publisher, command))


@pytest.fixture(scope="module")
def publisher():
    publisher = Publisher(Unheard(), "p1")
    for envelope in deltas(100_000):
        publisher.publish(envelope.event)
    return publisher


def test_a_gap_is_fetched_whole_in_bounded_answers(publisher):
    asked = Asked(publisher)
    first = publisher.journal.tail - 1
    found = fetch(asked, publisher.epoch, first, 99_990)
    assert [e.seq for e in found] == list(range(first + 1, 99_991))
    assert [e.event.delta for e in found] == [f"{n:04d}" for n in range(first, 99_990)]


@pytest.mark.parametrize("after", [0, 10, 100_000, 10**9, -1])
def test_what_is_forgotten_or_yet_to_come_is_refused(publisher, after):
    with pytest.raises(CannotRepair):
        fetch(Asked(publisher), publisher.epoch, after, after + 1)


def test_another_epoch_is_refused(publisher):
    with pytest.raises(CommandFailed):
        answer(publisher, Replay("another", 1))


@given(st.integers(0, 1500), st.integers(1, 1000), st.data())
def test_the_text_after_a_position_is_that_of_what_it_repeats(count, bound, data):
    log = log_of(deltas(count), max_events=bound)
    position = data.draw(st.integers(log.tail, log.head))
    rest = sum(envelope.event.size for envelope in rest_of(log, position))
    assert log.text_after(position) == rest
    if log.tail:
        assert log.text_after(log.tail - 1) == log.text_after(log.tail)
