import shutil
import subprocess
import sys
from itertools import pairwise

from deploy.supervisor import Service
from tests.processes import DEADLINE_S, ROOT, wait_until


def test_a_program_that_is_gone_for_a_while_is_waited_for(tmp_path, caplog):
    # As an interpreter that is being replaced.
    program = tmp_path / "program"
    service = Service("it", [str(program)])
    assert service.tend(0.0) is None
    assert service.pid is None
    assert "it cannot be started ([Errno 2] No such file or directory" in caplog.text
    assert "next start in" in caplog.text
    program.symlink_to(shutil.which("true"))
    assert service.tend(60.0) is None
    wait_until(service.ended, what="the end of its process")
    assert service.tend(61.0) == 0


HEARS_AFTERWARDS = """
import os, signal
from deploy.stop_signals import handle_stops, hold_stops

heard = []
stops = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
signal.signal(signal.SIGHUP, signal.SIG_IGN)
hold_stops()
for number in stops:
    os.kill(os.getpid(), number)
handle_stops(lambda number, _: heard.append(number))
assert sorted(heard) == [signal.SIGINT, signal.SIGTERM], heard
assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
assert signal.pthread_sigmask(signal.SIG_BLOCK, ()).isdisjoint(stops)
"""


def test_a_signal_during_the_start_is_heard_after_it():
    # A process of its own: a thread of the test runner would take the signal instead.
    subprocess.run(
        [sys.executable, "-c", HEARS_AFTERWARDS], cwd=ROOT, timeout=DEADLINE_S, check=True
    )


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
