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
