"""Half a minute of the soak; `make soak` runs ten."""

import random
import subprocess
import sys

import pytest

from tests.processes import ROOT

_SECONDS = 20  # and what the last turns, and the end of everything, take


@pytest.mark.timeout(180)
def test_every_reader_behind_the_fault_proxy_holds_every_answer_whole():
    seed = random.randrange(10**9)
    command = [sys.executable, "-m", "tests.faults.soak", "--seconds", str(_SECONDS)]
    command += ["--readers", "16", "--users", "4", "--seed", str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, f"seed {seed}:\n{done.stdout}{done.stderr}"
    assert "reset" in done.stdout, done.stdout
