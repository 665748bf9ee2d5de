"""Who gets the loop: a greenlet that never waits lets others run, and many share the time."""

import time
from contextlib import suppress
from itertools import pairwise

import gevent

from bus.process.fairness import Gate, TimeSlice, Turnstile
from tests.processes import DEADLINE_S, at_best


def until_over(hold, since_s=0.0):
    """Return how long after `since_s` it is over; a busy machine may stand still before."""
    until = time.monotonic() + DEADLINE_S
    while not hold.is_over:
        assert time.monotonic() < until
    return time.monotonic() - since_s


def test_a_slice_is_over_after_its_length_and_then_stays_over():
    began = time.monotonic()
    hold = TimeSlice(0.02)
    assert until_over(hold, began) >= 0.019
    assert hold.is_over


def test_a_greenlet_that_has_waited_has_its_whole_slice_again():
    # A busy machine may hold this process up for longer than a slice, but not each time.
    assert at_best(lambda: 0.02 - slice_after_a_wait_s(), 0.001) < 0.001


def slice_after_a_wait_s():
    """Return how long a slice lasts for a greenlet that has waited."""
    hold = TimeSlice(0.02)
    until_over(hold)
    gevent.sleep(0.001)
    began = time.monotonic()
    return 0.0 if hold.is_over else until_over(hold, began)


def test_who_lets_the_loop_turn_lets_others_run_and_begins_anew():
    assert any(begins_anew() for _ in range(4))


def begins_anew():
    """Tell whether a slice begins anew; a busy machine may hold this process up that long."""
    ran = []
    hold = TimeSlice(0.02)
    until_over(hold)
    gevent.spawn(ran.append, 1)
    assert hold.pass_on_if_over()
    assert ran
    return not hold.is_over


def test_a_timer_that_is_started_does_not_begin_a_slice_anew():
    seen = []

    def start_a_timer():
        hold = TimeSlice(0.02)
        until_over(hold)
        with gevent.Timeout(60):
            seen.append(hold.is_over)

    gevent.spawn(start_a_timer).join()
    assert seen == [True]


def test_others_run_while_a_loop_has_no_reason_to_wait():
    ran = []
    gevent.spawn(ran.append, True)
    turn, end = TimeSlice(), time.monotonic() + DEADLINE_S
    while not ran and time.monotonic() < end:
        turn.pass_on_if_over()
    assert ran


def test_a_timer_is_heard_while_a_loop_has_no_reason_to_wait():
    """`gevent.sleep(0)` alone looks at timers once in fifty times."""
    turn, turns, rung = TimeSlice(), 0, []
    gevent.get_hub().loop.timer(0.002).start(rung.append, True)
    end = time.monotonic() + DEADLINE_S
    while not rung and time.monotonic() < end:
        turns += turn.pass_on_if_over()
    assert turns < 10


def test_all_come_through_in_the_order_in_which_they_came():
    turnstile, passed = Turnstile(), []

    def go_through(number):
        turnstile.pass_through()
        passed.append(number)

    gevent.joinall([gevent.spawn(go_through, number) for number in range(100)], timeout=DEADLINE_S)
    assert passed == list(range(100))


def test_those_who_have_much_to_do_leave_time_to_those_who_have_not():
    turnstile, done = Turnstile(), []

    def write_much(_):
        for _ in range(200):
            turnstile.pass_through()
            sum(range(2000))
        done.append("much")

    def write_little():
        for _ in range(20):
            gevent.sleep(0.001)
        done.append("little")

    busy = [gevent.spawn(write_much, number) for number in range(50)]
    gevent.joinall([gevent.spawn(write_little), *busy], timeout=DEADLINE_S)
    assert done[0] == "little"


def test_one_who_ends_while_it_waits_holds_up_nobody():
    turnstile = Turnstile()
    waiting = [gevent.spawn(turnstile.pass_through) for _ in range(3)]
    waiting[1].kill(block=False)
    gevent.joinall(waiting, timeout=DEADLINE_S)
    assert all(one.ready() for one in waiting)


def test_what_passes_the_gate_takes_half_of_the_time_at_most():
    gate, passed, order = Gate(), [], []

    def pass_through(number):
        with gate.passed():
            began = time.monotonic()
            while time.monotonic() - began < 0.01:
                pass
            passed.append((began, time.monotonic()))
            order.append(number)

    with gevent.Timeout(DEADLINE_S):
        gevent.joinall([gevent.spawn(pass_through, n) for n in range(5)], raise_error=True)
    assert order == list(range(5))
    for (began, ended), (next_began, _) in pairwise(passed):
        assert next_began - ended >= (ended - began) * 0.9


def test_one_who_ends_or_fails_at_the_gate_holds_up_nobody():
    gate = Gate()

    def fail():
        with gate.passed():
            raise ZeroDivisionError

    def hold():
        with gate.passed():
            gevent.sleep(0.01)

    holding = gevent.spawn(hold)
    waiting = [gevent.spawn(hold) for _ in range(3)]
    gevent.sleep(0)
    waiting[1].kill(block=False)
    with suppress(ZeroDivisionError):
        fail()
    gevent.joinall([holding, *waiting], timeout=DEADLINE_S)
    assert all(one.ready() for one in waiting)
    hold()
