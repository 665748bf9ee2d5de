"""A loop that is held up is seen, and forgotten in time."""

import time

import gevent

from gateway.loop_lag import LoopLag


def test_a_blocked_loop_shows_as_lag():
    lag = LoopLag()
    greenlet = gevent.spawn(lag.run)
    try:
        gevent.sleep(0.15)
        assert lag.seconds < 0.2
        time.sleep(0.5)  # plainly: this is what blocks a loop
        gevent.sleep(0.05)
        assert 0.3 < lag.seconds < 5
        with gevent.Timeout(20):
            while lag.seconds >= 0.3:
                gevent.sleep(0.1)
    finally:
        greenlet.kill()
