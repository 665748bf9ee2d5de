"""Readers of a worker, as far as no socket is needed."""

import gevent
import pytest

from gateway.readers import Readers
from gateway.relay import Endpoint, Log, Relay, Verdict, View
from tests.envelopes import enveloped, instance
from tests.unit.bus.test_ledger import delta, part, status
from tests.unit.relay.test_enter import clone_of, told

ELSEWHERE = View(Endpoint.INSTANCE, directory="/elsewhere")


def test_one_who_came_while_nothing_was_known_is_told_all_that_a_snapshot_brings():
    """Gateway and processor were both killed: its id is of an epoch nobody has heard of."""
    readers = Readers(Relay(), limit=1)
    reader = readers.open(instance(), "p0epoch:7")
    over = enveloped([part("a", time={"start": 1, "end": 2}), status("idle")])
    readers.relay = clone_of(over, 2)
    entrance = readers.catch_up(reader)
    assert entrance.verdict is Verdict.FOREIGN
    assert len(told(entrance, instance())) == 2


@pytest.fixture
def readers():
    """Some that are woken, on a short log."""
    some = Readers(Relay(Log(max_events=2000)), limit=10)
    rounds = gevent.spawn(some.run)
    yield some
    rounds.kill()


def appended(readers, envelopes):
    """Append, and ask for a round."""
    readers.relay.append(envelopes)
    readers.log_has_grown()


def test_one_who_waits_passes_what_it_does_not_get_without_being_woken(readers):
    reader = readers.open(ELSEWHERE)
    waiting = gevent.spawn(readers.wait, reader, 60)
    gevent.idle()
    envelopes = enveloped([delta(f"{n} ") for n in range(9000)])
    with gevent.Timeout(10):
        for start in range(0, len(envelopes), 500):
            appended(readers, envelopes[start : start + 500])
            while reader.position < readers.relay.log.head:
                gevent.sleep(0.001)
    assert not waiting.dead
    readers.discard(reader)
    assert reader.cursor == readers.relay.head


def test_one_who_waits_is_woken_at_what_it_gets(readers):
    theirs = readers.open(ELSEWHERE)
    waiting = gevent.spawn(readers.wait, theirs, 60)
    gevent.idle()
    before = enveloped([delta(f"{n} ") for n in range(700)])
    its_own = enveloped([status("idle")], ELSEWHERE.directory, "p2")
    appended(readers, before)
    appended(readers, its_own)
    waiting.get(timeout=5)
    assert theirs.position <= len(before)
    step = readers.relay.step(theirs.cursor, theirs.view)
    assert step is not None
    assert step.events == 1


def test_one_who_joins_others_keeps_what_it_has_passed(readers):
    """Those who wait stand further back until the next round."""
    early, late = (readers.open(instance()) for _ in range(2))
    waiting = gevent.spawn(readers.wait, early, 60)
    gevent.idle()
    readers.relay.append(enveloped([delta("a")]))
    late.cursor = readers.relay.head
    both = [waiting, gevent.spawn(readers.wait, late, 60)]
    gevent.idle()
    readers.log_has_grown()
    assert len(gevent.joinall(both, timeout=5)) == len(both)
    assert (early.cursor.position, late.cursor.position) == (0, 1)


def test_those_who_wait_again_are_not_woken_for_what_they_have_had(readers):
    several, woken = [readers.open(instance()) for _ in range(3)], []

    def follow(reader):
        while True:
            readers.wait(reader, 60)
            woken.append(reader)
            reader.cursor = readers.relay.head

    following = [gevent.spawn(follow, reader) for reader in several]
    gevent.idle()
    for grown in range(1, 4):
        appended(readers, enveloped([delta("a")]))
        with gevent.Timeout(5):
            while len(woken) < 3 * grown:
                gevent.sleep(0.001)
    appended(readers, enveloped([delta("a")], ELSEWHERE.directory))
    with gevent.Timeout(5):
        while any(reader.position < readers.relay.log.head for reader in several):
            gevent.sleep(0.001)
    assert [woken.count(reader) for reader in several] == [3, 3, 3]
    gevent.killall(following)
