"""How readers are looked at: in time, a few at a time, and none whose stream has ended."""

import time

import gevent
import pytest

from gateway.relay import Relay
from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers
from gateway.streams.shedding import Shedding
from tests.envelopes import instance
from tests.fakes.outlet import FakeOutlet
from tests.processes import DEADLINE_S

COUNT = 200
FEW = 32
TIMEOUT_S = 2.0


class Wire:
    """A connection that says how long its peer has stalled, until it is closed."""

    owes = True
    beaten_at = None
    stalled_s = 0.0
    closed = False
    looks = 0

    def stalled(self, _now):
        if self.closed:
            raise OSError("a closed socket says nothing")
        self.looks += 1
        return self.stalled_s, Cause.STALLED

    def reset(self, _reason):
        self.closed = True


@pytest.fixture
def readers():
    """Open streams, each with a wire."""
    some = Readers(Relay(), COUNT)
    for _ in range(COUNT):
        some.open(instance()).connection = Wire()
    return some


@pytest.fixture
def looking(readers):
    """Shedding at work; it ends by itself only by an error."""
    greenlet = gevent.spawn(Shedding(readers, TIMEOUT_S).run)
    yield greenlet
    greenlet.kill()


def looks(readers):
    return [reader.connection.looks for reader in readers]


def until(condition):
    with gevent.Timeout(DEADLINE_S):
        while not condition():
            gevent.sleep(0.001)


def test_one_who_stalls_is_let_go_and_no_other(readers, looking):
    stalled = next(iter(readers))
    stalled.connection.stalled_s = TIMEOUT_S
    until(lambda: stalled.gone and min(looks(readers)) > 0)
    assert [reader for reader in readers if reader.gone] == [stalled]


def test_a_stream_that_breaks_off_in_the_middle_of_a_round_is_not_looked_at(readers, looking):
    until(lambda: sum(looks(readers)) > 0)
    for reader in [one for one in readers if one.connection.looks == 0]:
        readers.discard(reader)
        reader.connection.closed = True
    before = sum(looks(readers))
    until(lambda: looking.dead or sum(looks(readers)) > before)
    assert not looking.dead


def test_whoever_reads_waits_for_a_few_looks_at_most(readers, looking):
    most = before = 0
    while min(looks(readers)) == 0:
        gevent.sleep(0.0001)
        now = sum(looks(readers))
        most, before = max(most, now - before), now
    assert most <= FEW


def test_a_connection_that_owes_nothing_is_not_looked_at(readers, looking):
    idle, beaten, beaten_long_ago, written_to, *_ = readers
    for reader in (idle, beaten, beaten_long_ago, written_to):
        wire = reader.connection
        FakeOutlet(readers, reader)
        reader.connection, wire.owes = wire, False
    for reader in (idle, beaten, beaten_long_ago):
        readers.lanes.settle(reader)
    beaten.connection.beaten_at = time.monotonic() + TIMEOUT_S
    beaten_long_ago.connection.beaten_at = time.monotonic() - TIMEOUT_S
    until(lambda: sum(looks(readers)) > 2 * COUNT)
    assert idle.connection.looks == beaten.connection.looks == 0
    assert beaten_long_ago.connection.looks > 0
    assert written_to.connection.looks > 0
