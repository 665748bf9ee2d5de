"""Who comes through a turnstile, and when."""

import time
from contextlib import suppress
from itertools import pairwise

import gevent

from gateway.turnstile import Gate, Turnstile


def test_all_come_through_in_the_order_in_which_they_came():
    turnstile, passed = Turnstile(), []

    def go_through(number):
        turnstile.pass_through()
        passed.append(number)

    gevent.joinall([gevent.spawn(go_through, number) for number in range(100)], timeout=30)
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
    gevent.joinall([gevent.spawn(write_little), *busy], timeout=30)
    assert done[0] == "little"


def test_one_who_ends_while_it_waits_holds_up_nobody():
    turnstile = Turnstile()
    waiting = [gevent.spawn(turnstile.pass_through) for _ in range(3)]
    waiting[1].kill(block=False)
    gevent.joinall(waiting, timeout=30)
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

    with gevent.Timeout(30):
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
    gevent.joinall([holding, *waiting], timeout=30)
    assert all(one.ready() for one in waiting)
    hold()
