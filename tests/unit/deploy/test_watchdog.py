import signal
from functools import partial

import pytest

from bus.backoff import Backoff
from deploy import cooldown, watchdog
from deploy.beats import Beats
from deploy.limits import Limits
from deploy.sample import ProcessUsage
from deploy.sample_log import SampleLog
from deploy.watchdog import Watchdog

LIMIT = 100 * 1024 * 1024
NO_PROCESS = 1 << 30


class Greedy:
    """A service that has a new process as soon as it was told to end, and always uses too much."""

    name = "gateway"
    pid = NO_PROCESS


@pytest.fixture
def beats(tmp_path_factory):
    beats = Beats(tmp_path_factory.mktemp("b") / "notify")
    yield beats
    beats.close()


def test_restarts_for_memory_get_rarer(tmp_path, beats, monkeypatch, caplog):
    service, now, restarts = Greedy(), 0, []

    def end(pid, number):
        assert (pid, number) == (service.pid, signal.SIGTERM)
        restarts.append(now)
        service.pid += 1

    monkeypatch.setattr(watchdog, "usages", lambda pid: [ProcessUsage(pid, 2 * LIMIT, 9)])
    monkeypatch.setattr(watchdog, "_signal", end)
    # Jitter may put the last restart past the end of the test.
    monkeypatch.setattr(cooldown, "Backoff", partial(Backoff, jitter=0))
    one = Watchdog([service], beats, Limits(3600, LIMIT), SampleLog(tmp_path))
    for now in range(0, 1000):
        one.tick(now)
    assert 4 <= len(restarts) <= 7
    assert restarts[1] - restarts[0] > 10
    assert restarts[-1] - restarts[-2] > 200
    assert caplog.text.count("it uses 200 MiB of memory (limit 100 MiB;") == len(restarts)
