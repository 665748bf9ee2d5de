"""A loop that is held up is seen, and forgotten in time."""

import socket
import time

import gevent
import pytest

from bus.process.heart import LAG, Heart, Notifier
from gateway.monitor.loop_lag import LoopLag
from tests.blackbox.gateway_on_bus import temporary_folder
from tests.processes import DEADLINE_S


@pytest.fixture
def manager():
    """What a worker tells of itself: the socket of a service manager, and its address."""
    unix = socket.AF_UNIX, socket.SOCK_DGRAM
    with temporary_folder() as folder, socket.socket(*unix) as listener:
        address = str(folder / "notify")
        listener.bind(address)
        listener.setblocking(False)
        yield listener, address


@pytest.fixture
def lag(manager):
    """A lag that is measured for the time of the test."""
    measured = LoopLag(Heart(Notifier(manager[1])))
    greenlet = gevent.spawn(measured.run)
    yield measured
    greenlet.kill()


def until(condition):
    with gevent.Timeout(DEADLINE_S):
        while not condition():
            gevent.sleep(0.02)


def told_s(listener):
    """Return the lags that the manager was told of."""
    found = []
    while True:
        try:
            lines = listener.recv(4096).decode().splitlines()
        except BlockingIOError:
            return found
        found += [float(line.partition("=")[2]) / 1000 for line in lines if line.startswith(LAG)]


def test_a_blocked_loop_shows_as_lag(lag):
    gevent.sleep(0.15)
    until(lambda: lag.seconds < 0.2)
    began = time.monotonic()
    time.sleep(0.5)  # plainly: this is what blocks a loop
    gevent.sleep(0.05)
    assert 0.3 < lag.seconds <= time.monotonic() - began
    until(lambda: lag.seconds < 0.3)


def test_what_the_manager_is_told_is_the_same(lag, manager):
    gevent.sleep(0.15)
    time.sleep(0.5)
    told = []

    def alike():
        """Tell whether all that was seen is told: it is said twice a second."""
        told.extend(told_s(manager[0]))
        worst_s = max(told, default=0)
        return worst_s > 0.3 and worst_s == pytest.approx(lag.seconds, abs=0.001)

    until(alike)


def test_what_came_before_the_loop_is_no_lag_of_it(manager):
    clock = [0.0]
    heart = Heart(Notifier(manager[1]), clock=lambda: clock[0])
    heart.beat()
    clock[0] = 30.0
    measured = LoopLag(heart)
    greenlet = gevent.spawn(measured.run)
    until(lambda: max(told_s(manager[0]), default=0) > 20)
    assert measured.seconds < 5
    greenlet.kill()
