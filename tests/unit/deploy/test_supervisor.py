import shutil
from itertools import pairwise

from deploy.supervisor import Service
from tests.processes import wait_until


def test_a_service_that_ends_at_once_is_started_less_and_less_often(caplog):
    service = Service("it", [shutil.which("false")])
    now, started = 0.0, []
    while len(started) < 9:
        assert service.tend(now) is None
        if service.pid is None:
            now += 0.1
            continue
        started.append(now)
        wait_until(service.ended, what="the end of its process")
        assert service.tend(now) == 1
    gaps = [later - sooner for sooner, later in pairwise(started)]
    assert gaps[0] < 1
    assert all(later > sooner for sooner, later in pairwise(gaps[:6]))
    assert 20 < gaps[-1] < 40
    assert "it (pid " in caplog.text
    assert "ended with status 1; next start in" in caplog.text
