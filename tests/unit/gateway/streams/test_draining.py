"""How readers are let go: each at a moment of its own, and none is left."""

import time

import gevent
import pytest

from gateway.relay import Relay
from gateway.streams.draining import drain
from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers, TooManyReaders
from tests.envelopes import instance
from tests.processes import DEADLINE_S, at_best

WINDOW_S = 1.0
COUNT = 400


class Leaving:
    """Readers that are forgotten as they leave, as streams do; and when that was."""

    def __init__(self, count):
        self.readers = Readers(Relay(), 10 * count)
        self.moments = []
        for _ in range(count):
            self.open()

    def open(self):
        reader = self.readers.open(instance())
        reader.outlet = self.Outlet(self, reader)
        return reader

    class Outlet:
        """Notes the end of a stream."""

        def __init__(self, leaving, reader):
            self._leaving = leaving
            self._reader = reader

        def end(self):
            self._leaving.moments.append(time.monotonic())
            self._leaving.readers.discard(self._reader)


def test_they_leave_spread_over_the_window():
    assert at_best(unevenness_s, 0.25) < 0.25


def unevenness_s():
    """Let readers go; return by how much the moments differ from evenly spread ones."""
    leaving = Leaving(COUNT)
    began = time.monotonic()
    drain(leaving.readers, WINDOW_S)
    after_s = sorted(moment - began for moment in leaving.moments)
    assert len(after_s) == COUNT
    assert leaving.readers.evictions[Cause.DRAINED.value] == COUNT
    shares = (0.25, 0.5, 0.75)
    off_s = [abs(after_s[int(share * COUNT)] - share * WINDOW_S) for share in shares]
    return max(*off_s, after_s[-1] - WINDOW_S - 0.25)


def test_one_who_comes_meanwhile_is_let_go_within_the_window_too():
    leaving = Leaving(20)
    draining = gevent.spawn(drain, leaving.readers, 4 * WINDOW_S)
    with gevent.Timeout(DEADLINE_S):
        while not leaving.moments:
            gevent.sleep(0.001)
    late = leaving.open()
    draining.join()
    assert late.left is Cause.DRAINED


def test_then_no_more_is_opened():
    leaving = Leaving(1)
    drain(leaving.readers, 0)
    with pytest.raises(TooManyReaders):
        leaving.open()


def test_without_readers_it_takes_no_time():
    began = time.monotonic()
    drain(Readers(Relay(), 1), 60)
    assert time.monotonic() - began < 30
