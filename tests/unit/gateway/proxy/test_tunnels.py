"""How many WebSockets a worker passes on, and that none begins while it stops."""

import pytest

from gateway.proxy.failures import Refusal
from gateway.proxy.tunnels import BOUND, Tunnels


def test_places_are_bounded_and_come_back():
    tunnels = Tunnels(1)
    with tunnels.place():
        with pytest.raises(Refusal, match="1 WebSockets") as refused, tunnels.place():
            pass
        assert (refused.value.status, refused.value.bound) == (503, BOUND)
    with tunnels.place():
        pass


def test_a_worker_that_stops_begins_none():
    tunnels = Tunnels(1)
    tunnels.drain(0)
    with pytest.raises(Refusal, match="stops") as refused, tunnels.place():
        pass
    assert refused.value.status == 503
