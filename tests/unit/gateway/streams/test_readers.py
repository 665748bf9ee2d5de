"""Readers of a worker, as far as no socket is needed."""

import time
from functools import partial

import gevent
import pytest
from msgspec.structs import replace

from gateway.relay import Endpoint, Log, Relay, ResumeVerdict, View, pacing
from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers
from tests.envelopes import enveloped, instance
from tests.events import delta, part, status
from tests.fakes.outlet import FakeOutlet, waiting
from tests.processes import DEADLINE_S
from tests.unit.gateway.relay.entering import clone_of, told

ELSEWHERE = View(Endpoint.INSTANCE, directory="/elsewhere")


def test_one_who_came_while_nothing_was_known_is_told_all_that_a_snapshot_brings():
    """Gateway and processor were both killed: its id is of an epoch nobody has heard of."""
    readers = Readers(Relay(), limit=1)
    reader = readers.open(instance(), "p0epoch:7")
    over = enveloped([part("a", time={"start": 1, "end": 2}), status("idle")])
    readers.relay = clone_of(over, 2)
    entrance = readers.catch_up(reader)
    assert entrance.verdict is ResumeVerdict.FOREIGN
    assert len(told(entrance, instance())) == 2


@pytest.fixture
def readers():
    """Some whose lanes are flushed, on a short log."""
    some = Readers(Relay(Log(max_events=2000)), limit=40)
    rounds = gevent.spawn(some.lanes.run)
    yield some
    rounds.kill()


def appended(readers, envelopes):
    """Append, and ask for a round."""
    readers.relay.append(envelopes)
    readers.lanes.log_has_grown()


def until(condition):
    with gevent.Timeout(DEADLINE_S):
        while not condition():
            gevent.sleep(0.001)


def test_a_reader_that_waits_passes_what_it_does_not_get(readers):
    reader, outlet = waiting(readers, ELSEWHERE)
    envelopes = enveloped([delta(f"{n} ") for n in range(9000)])
    for start in range(0, len(envelopes), 500):
        appended(readers, envelopes[start : start + 500])
        until(lambda: reader.position == readers.relay.log.head)
    assert (outlet.taken(), outlet.worked) == (b"", 0)
    readers.discard(reader)
    assert reader.cursor == readers.relay.head


def test_a_reader_of_another_session_follows_a_little_later(readers):
    view = View(Endpoint.GLOBAL, sessions=frozenset({"ses_of_nobody"}))
    reader, outlet = waiting(readers, view)
    appended(readers, enveloped([delta("a")]))
    until(lambda: reader.position == readers.relay.log.head)
    assert (outlet.taken(), outlet.worked) == (b"", 0)


def test_a_reader_that_waits_is_sent_what_it_gets(readers):
    _, outlet = waiting(readers, ELSEWHERE)
    appended(readers, enveloped([delta(f"{n} ") for n in range(700)]))
    appended(readers, enveloped([status("idle")], ELSEWHERE.directory, "p2"))
    sent = []
    until(lambda: sent.append(outlet.taken()) or b"session.status" in b"".join(sent))
    assert b"delta" not in b"".join(sent)


def test_readers_that_stand_apart_get_what_each_lacks(readers):
    early, outlet = waiting(readers, instance())
    readers.relay.append(enveloped([delta("a")]))
    late, second = waiting(readers, instance())
    readers.relay.append(enveloped([delta("b")], source="p2"))
    readers.lanes.log_has_grown()
    until(lambda: early.rank is late.rank)
    assert [b'"a"' in one.taken() for one in (outlet, second)] == [True, False]
    assert early.sent.frames == 2
    assert late.sent.frames == 1


def test_a_reader_gets_each_step_once_and_counts_it(readers):
    several = [waiting(readers, instance()) for _ in range(3)]
    for text in "abc":
        appended(readers, enveloped([delta(text)], source=text))
        until(lambda: all(one.position == readers.relay.log.head for one, _ in several))
    sent = [outlet.taken() for _, outlet in several]
    assert [sent[0].count(b'"delta":"%b"' % text) for text in (b"a", b"b", b"c")] == [1, 1, 1]
    assert sent == [sent[0]] * 3
    assert [(one.sent.frames, one.sent.bytes) for one, _ in several] == [(3, len(sent[0]))] * 3
    assert (readers.sent.frames, readers.sent.bytes) == (9, 3 * len(sent[0]))


@pytest.mark.parametrize("room", [0, 1, 70])
def test_a_reader_whose_socket_is_full_leaves_the_others_and_gets_the_rest(readers, room):
    slow, outlet = waiting(readers, instance(), room)
    fast, other = waiting(readers, instance())
    appended(readers, enveloped([delta("a")]))
    until(lambda: fast.position == readers.relay.log.head)
    assert (outlet.worked, other.worked) == (1, 0)
    assert slow.rank is None
    assert slow.position == fast.position
    assert outlet.taken() == other.taken()
    assert slow.sent == fast.sent


def test_of_a_step_of_many_bytes_each_socket_takes_what_it_can_at_once(readers):
    fast, whole = waiting(readers, instance())
    slow, part = waiting(readers, instance(), room=50_000)
    appended(readers, enveloped([delta("x" * 1_000_000)]))
    until(lambda: part.worked and fast.position == readers.relay.log.head)
    assert (fast.rank is None, slow.rank is None) == (False, True)
    assert slow.position == readers.relay.log.head
    assert len(sent := whole.taken()) > 1_000_000
    assert part.taken() == sent


def test_readers_that_fell_off_are_left_to_themselves(readers):
    _, outlet = waiting(readers, instance())
    readers.relay.log.restart()
    appended(readers, enveloped([delta("a")]))
    until(lambda: outlet.worked)
    assert outlet.taken() == b""


def test_a_reader_that_leaves_in_the_middle_of_a_flush_is_sent_nothing(readers):
    ones = [waiting(readers, instance()) for _ in range(3)]

    def send(data):
        for reader, _ in ones:
            reader.leave(Cause.GONE)
        return FakeOutlet.send(ones[0][1], data)

    for _, outlet in ones:
        outlet.send = send
    appended(readers, enveloped([delta("a")]))
    until(lambda: len(readers) == 0)
    assert readers.evictions["gone"] == 3


@pytest.mark.parametrize("pace_s", [0.0, 0.05])
def test_readers_that_leave_before_a_flush_leave_nothing_to_do(readers, pace_s):
    staying = readers.open(instance(), pace_s=pace_s)
    FakeOutlet(readers, staying)
    leaving = readers.open(instance(), pace_s=pace_s)
    FakeOutlet(readers, leaving)
    readers.lanes.settle(leaving)
    if pace_s:
        appended(readers, enveloped([delta("a")], source="p1"))
        until(lambda: leaving.position == readers.relay.log.head)
    appended(readers, enveloped([delta("b")], source="p2"))
    gevent.sleep(0)  # the flush is about to start, or the pace holds it back
    staying.cursor = readers.relay.head
    readers.lanes.settle(staying)
    leaving.leave(Cause.GONE)
    with gevent.Timeout(DEADLINE_S):
        gevent.sleep(2 * pace_s)
    appended(readers, enveloped([status("idle")], source="p3"))
    until(lambda: staying.position == readers.relay.log.head)


def test_a_reader_that_leaves_its_rank_in_the_middle_of_a_flush_is_left_out(readers):
    ones = [waiting(readers, instance()) for _ in range(2)]

    def send(one, other, data):
        other.work()
        return FakeOutlet.send(one, data)

    for (_, one), (_, other) in (ones, reversed(ones)):
        one.send = partial(send, one, other)
    appended(readers, enveloped([delta("a")]))
    until(lambda: any(outlet.worked for _, outlet in ones))
    left = next(reader for reader, outlet in ones if outlet.worked)
    assert left.outlet.taken() == b""
    assert left.position < readers.relay.log.head
    assert readers.sent.frames == 1


def test_others_have_their_turns_in_the_middle_of_a_flush(readers):
    turns, turns_at = [], []

    def send(_data):
        turns_at.append(len(turns))
        began = time.monotonic()
        while time.monotonic() < began + 0.0005:
            pass

    for _ in range(32):
        _, outlet = waiting(readers, instance())
        outlet.send = send
    others = gevent.spawn(lambda: [turns.append(gevent.sleep(0)) for _ in range(10**6)])
    appended(readers, enveloped([delta("a")]))
    until(lambda: readers.sent.frames)
    others.kill()
    assert len(set(turns_at)) > 2


def test_readers_that_have_passed_all_sources_as_far_share_a_rank(readers):
    readers.relay.append(enveloped([delta("a")]))
    reader, _ = waiting(readers, instance())
    late = readers.open(instance())
    FakeOutlet(readers, late)
    late.cursor = replace(late.cursor, starts=(("p1", late.position),))
    readers.lanes.settle(late)
    assert late.rank is reader.rank


def test_further_deltas_leave_at_a_pace_and_all_else_at_once(readers, monkeypatch):
    pace_s = 60.0
    monkeypatch.setattr(pacing, "MAX_AGE_S", pace_s)
    reader = readers.open(instance(), pace_s=pace_s)
    outlet = FakeOutlet(readers, reader)
    readers.lanes.settle(reader)

    def arrives(event, source):
        appended(readers, enveloped([event], source=source))
        until(lambda: reader.position == readers.relay.log.head)
        return outlet.taken()

    assert b'"a"' in arrives(delta("a"), "1")
    appended(readers, enveloped([delta("b")], source="2"))
    gevent.sleep(0.05)
    assert outlet.taken() == b""
    assert b'"b"' in (both := arrives(status("idle"), "3"))
    assert both.index(b'"b"') < both.index(b"session.status")


def test_no_delta_is_held_back_for_longer_than_the_greatest_age(readers, monkeypatch):
    monkeypatch.setattr(pacing, "MAX_AGE_S", 0.05)
    reader = readers.open(instance(), pace_s=60.0)
    outlet = FakeOutlet(readers, reader)
    readers.lanes.settle(reader)
    for text in "ab":
        appended(readers, enveloped([delta(text)], source=text))
        until(lambda: reader.position == readers.relay.log.head)
    assert b'"b"' in outlet.taken()


def test_deltas_that_were_held_back_leave_as_one_across_the_cuts_of_the_log(readers):
    reader = readers.open(instance(), pace_s=60.0)
    outlet = FakeOutlet(readers, reader)
    readers.lanes.settle(reader)
    appended(readers, enveloped([delta("a")], source="1"))
    until(lambda: reader.position == readers.relay.log.head)
    outlet.taken()
    appended(readers, enveloped([*[delta("b")] * 1500, status("idle")], source="2"))
    until(lambda: reader.position == readers.relay.log.head)
    assert outlet.taken().count(b"message.part.delta") == 1


def test_a_reader_with_another_view_leaves_its_lane_for_it(readers):
    reader, outlet = waiting(readers, ELSEWHERE)
    reader.turn_to(instance(), 0)
    assert outlet.worked == 1
    assert reader.turning
    assert reader.rank is None


def test_a_reader_that_waits_does_not_fall_off_by_large_events_of_others():
    readers = Readers(Relay(Log(max_bytes=1_000_000)), limit=10)
    rounds = gevent.spawn(readers.lanes.run)
    reader, outlet = waiting(readers, ELSEWHERE)
    for number in range(60):
        appended(readers, enveloped([delta("x" * 100_000)], source=f"p{number}"))
        readers.relay.let_go(float(number))
        gevent.sleep(0.001)
    until(lambda: reader.position == readers.relay.log.head)
    assert (outlet.taken(), outlet.worked) == (b"", 0)
    rounds.kill()


def test_readers_whose_answers_differ_in_form_or_pace_share_no_rank(readers):
    ranks = []
    for chunked, pace_s in ((False, 0.0), (True, 0.0), (False, 0.1), (False, 0.0)):
        reader = readers.open(instance(), pace_s=pace_s)
        FakeOutlet(readers, reader).chunked = chunked
        readers.lanes.settle(reader)
        ranks.append(reader.rank)
    assert ranks[0] is ranks[3]
    assert len(set(map(id, ranks))) == 3


def test_a_reader_that_is_to_get_another_view_does_not_wait_in_a_lane(readers):
    reader = readers.open(ELSEWHERE)
    outlet = FakeOutlet(readers, reader)
    reader.turn_to(instance(), 0)
    readers.lanes.settle(reader)
    assert outlet.worked == 1
    assert reader.rank is None


def test_readers_that_lag_by_themselves_are_furthest_back(readers):
    lagging, outlet = waiting(readers, instance())
    outlet.work()
    readers.relay.append(enveloped([delta("a")]))
    waiting(readers, instance())
    assert readers.furthest_back(1) == [lagging]
