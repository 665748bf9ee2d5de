"""What a worker that ends waits for."""

from types import SimpleNamespace

import pytest

from gateway.workers.worker import GatewayWorker


@pytest.mark.parametrize(
    ("fresh", "unread", "waited_s", "waits"),
    [
        (False, False, 0.0, False),
        (True, False, 0.1, True),
        (True, False, 1.0, False),
        (True, True, 1.0, True),
        (False, True, 1.0, True),
        (True, True, 100.0, False),
    ],
)
def test_a_worker_waits_for_requests_that_have_come_and_a_moment_for_others(
    fresh, unread, waited_s, waits
):
    worker = GatewayWorker.__new__(GatewayWorker)
    door = SimpleNamespace(
        served=set(),
        fresh={"a connection"} if fresh else set(),
        slots=SimpleNamespace(unread=lambda: unread),
    )
    worker.gateway = SimpleNamespace(door=door, broken=False)
    assert worker._unfinished(waited_s) is waits
