"""A loop that never waits still lets others run."""

import time

import gevent

from gateway.proxy.timeslice import TimeSlice


def test_others_run_while_a_loop_has_no_reason_to_wait():
    ran = []
    gevent.spawn(ran.append, True)
    turn, end = TimeSlice(), time.monotonic() + 5
    while not ran and time.monotonic() < end:
        turn.pass_on_if_over()
    assert ran


def test_a_timer_is_heard_while_a_loop_has_no_reason_to_wait():
    """`gevent.sleep(0)` alone looks at timers once in fifty times."""
    turn, turns, rung = TimeSlice(), 0, []
    gevent.get_hub().loop.timer(0.002).start(rung.append, True)
    end = time.monotonic() + 5
    while not rung and time.monotonic() < end:
        turns += turn.pass_on_if_over()
    assert turns < 10
