"""A reader is reset by whichever worker is asked."""

import gevent
import pytest

from gateway.relay import Relay
from gateway.streams.evictions import Cause
from gateway.streams.readers import Readers
from gateway.streams.resets import Grid, Resets, ResetVerdict
from tests.envelopes import instance


@pytest.fixture
def grid():
    return Grid(4)


def worker(grid, seat, occupied=lambda seat: True):
    readers = Readers(Relay(), 10)
    return readers, Resets(grid, seat, readers, occupied)


def id_of(seat, reader):
    return f"{seat}-{reader.number:x}"


def test_a_reader_of_the_worker_that_is_asked_is_reset(grid):
    readers, resets = worker(grid, 0)
    reader, other = readers.open(instance()), readers.open(instance())
    assert resets.reset(id_of(0, reader)) is ResetVerdict.DONE
    assert (reader.left, other.left) == (Cause.RESET, None)


def test_a_reader_of_another_worker_is_reset_by_that_worker(grid):
    _, asked = worker(grid, 0)
    readers, there = worker(grid, 1)
    reader = readers.open(instance())
    looks = gevent.spawn(there.run)
    assert asked.reset(id_of(1, reader)) is ResetVerdict.DONE
    assert reader.left is Cause.RESET
    readers.discard(reader)
    assert asked.reset(id_of(1, reader)) is ResetVerdict.UNKNOWN
    looks.kill()


@pytest.mark.parametrize("name", ["", "x", "0", "0-", "9-1", "0-zz", "-1-1", "0-" + "f" * 99])
def test_what_is_no_id_of_a_reader_is_unknown(grid, name):
    assert worker(grid, 0)[1].reset(name) is ResetVerdict.UNKNOWN


def test_a_seat_without_a_worker_has_no_reader(grid):
    assert worker(grid, 0, lambda seat: seat == 0)[1].reset("1-1") is ResetVerdict.UNKNOWN


def test_a_worker_that_does_not_look_is_waited_for_no_longer_than_is_stated(grid, monkeypatch):
    monkeypatch.setattr("gateway.streams.resets._PATIENCE_S", 0.1)
    assert worker(grid, 0)[1].reset("1-1") is ResetVerdict.SILENT
    # What was asked of a worker that did not look is not done by a worker that comes later.
    assert grid.read(1, 0) == 0
