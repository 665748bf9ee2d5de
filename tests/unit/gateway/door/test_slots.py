"""Which connections go when room is short."""

import socket

import pytest

from gateway.door import slots as slots_module
from gateway.door.slots import GRACE_S, Slots, Wait
from gateway.door.slow_lane import SlowLane
from gateway.door.wire import Wire
from gateway.proxy.failures import Refusal


class Holder:
    def __init__(self, address="a"):
        self.address = address
        self.gone = False
        self.wait = Wait(self)

    def give_up(self, wait, why):
        assert wait is self.wait
        self.gone = True


class Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(slots_module, "time", clock)
    return clock


def crowd(slots, count, address="a", idle=True, within_s=75.0):
    some = [Holder(address) for _ in range(count)]
    for holder in some:
        slots.come()
        slots.wait(holder.wait, within_s, idle)
    return some


def gone(some):
    return [number for number, holder in enumerate(some) if holder.gone]


def test_of_too_many_idle_ones_those_go_that_have_waited_longest(clock):
    slots = Slots(100, 8)
    some = crowd(slots, 12)
    assert gone(some) == []
    clock.now += GRACE_S
    slots.make_room()
    assert gone(some) == [0, 1, 2, 3]
    crowd(slots, 2)
    assert gone(some) == [0, 1, 2, 3, 4]


def test_a_connection_that_goes_on_counts_as_new(clock):
    slots = Slots(100, 2)
    first, second, third = crowd(slots, 3)
    slots.go_on(first.wait, idle=True)
    slots.wait(first.wait, 75.0, idle=True)
    clock.now += GRACE_S
    slots.make_room()
    assert (first.gone, second.gone, third.gone) == (False, True, False)


def test_the_address_with_most_idle_connections_makes_room(clock):
    slots = Slots(100, 8)
    guests, crowded = crowd(slots, 2, "guest"), crowd(slots, 10, "crowd")
    clock.now += GRACE_S
    slots.make_room()
    assert (gone(guests), gone(crowded)) == ([], [0, 1, 2, 3])


def test_some_places_are_always_kept_free(clock):
    slots = Slots(12, 16)
    some = crowd(slots, 12)
    clock.now += GRACE_S
    slots.make_room()
    assert gone(some) == [0, 1]


def test_a_place_that_is_being_freed_is_not_freed_twice(clock):
    slots = Slots(12, 16)
    some = crowd(slots, 12)
    clock.now += GRACE_S
    slots.make_room()
    slots.make_room()
    assert gone(some) == [0, 1]
    for holder in some[:2]:
        slots.leave(holder)
    slots.make_room()
    assert gone(some) == [0, 1]


def test_past_the_most_requests_a_stuck_one_goes_or_the_new_one_is_refused(clock):
    slots = Slots(100, 8)  # one place of these is kept for probes
    for _ in range(7):
        slots.begin(is_probe=False)
    with pytest.raises(Refusal, match="7 requests, which is its limit"):
        slots.begin(is_probe=False)
    slots.begin(is_probe=True)
    slots.end()
    (stuck,) = crowd(slots, 1, idle=False)
    with pytest.raises(Refusal):
        slots.begin(is_probe=False)
    clock.now += GRACE_S
    slots.begin(is_probe=False)
    assert stuck.gone


def test_waits_that_are_over_end_a_few_at_a_time(clock):
    slots = Slots(1000, 500)
    long, short = crowd(slots, 1), crowd(slots, 100, within_s=10.0)
    clock.now += 10.0
    slots.sweep()
    assert 0 < len(gone(short)) < 100
    slots.sweep()
    assert gone(short) == list(range(100))
    assert gone(long) == []


def test_a_request_that_is_not_read_yet_is_known():
    slots = Slots(100, 8)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours, "a", slots, SlowLane())
        slots.wait(Wait(wire), 75.0, idle=True)
        assert not slots.unread()
        theirs.sendall(b"GET")
        assert slots.unread()
        ours.recv(3)
        theirs.close()
        assert not slots.unread()
