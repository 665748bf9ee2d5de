"""A greenlet that holds the loop learns when others have waited for long enough."""

import time

import gevent

from bus.slices import Slice


def until_over(hold, since_s=0.0):
    """Return how long after `since_s` it is over; a busy machine may stand still before."""
    until = time.monotonic() + 20
    while not hold.is_over:
        assert time.monotonic() < until
    return time.monotonic() - since_s


def test_a_slice_is_over_after_its_length_and_then_stays_over():
    began = time.monotonic()
    hold = Slice(0.02)
    assert until_over(hold, began) >= 0.019
    assert hold.is_over


def test_a_greenlet_that_has_waited_has_its_whole_slice_again():
    hold = Slice(0.02)
    until_over(hold)
    gevent.sleep(0.001)
    began = time.monotonic()
    assert not hold.is_over
    assert until_over(hold, began) >= 0.019


def test_who_lets_the_loop_turn_lets_others_run_and_begins_anew():
    ran = []
    hold = Slice(0.02)
    until_over(hold)
    gevent.spawn(ran.append, 1)
    hold.let_turn()
    assert ran
    assert not hold.is_over
