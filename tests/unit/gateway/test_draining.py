"""How readers are let go: each at a moment of its own, and none is left."""

import time

import gevent
import pytest

from gateway.draining import drain
from gateway.evictions import Cause
from gateway.readers import Readers, TooManyReaders
from gateway.relay import Relay
from tests.envelopes import instance

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
        gevent.spawn(self._follow, reader)
        return reader

    def _follow(self, reader):
        while not reader.gone:
            self.readers.wait(reader, 60)
        self.moments.append(time.monotonic())
        self.readers.discard(reader)


def test_they_leave_spread_over_the_window():
    leaving = Leaving(COUNT)
    gevent.sleep(0)
    began = time.monotonic()
    drain(leaving.readers, WINDOW_S)
    gevent.sleep(0.01)
    after_s = sorted(moment - began for moment in leaving.moments)
    assert len(after_s) == COUNT
    assert leaving.readers.evictions[Cause.DRAINED.value] == COUNT
    assert after_s[-1] < WINDOW_S + 0.5
    for share in (0.25, 0.5, 0.75):
        assert abs(after_s[int(share * COUNT)] - share * WINDOW_S) < 0.25


def test_one_who_comes_meanwhile_is_let_go_within_the_window_too():
    leaving = Leaving(20)
    draining = gevent.spawn(drain, leaving.readers, WINDOW_S)
    gevent.sleep(WINDOW_S / 4)
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
    assert time.monotonic() - began < 1
