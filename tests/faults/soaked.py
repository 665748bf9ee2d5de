"""A short soak as a test runs it."""

import subprocess
import sys

from tests.processes import ROOT

DEADLINE_S = 600
SEED = 20261128
"""The faults are the same each time; ``make soak`` chooses another seed."""
_PATIENCE_S = DEADLINE_S - 10


def soaked(seconds: float, *flags: str, readers: int, users: int) -> str:
    """Run a soak that finds nothing wrong, and return what it says."""
    command = [sys.executable, "-m", "tests.faults.soak", "--seconds", str(seconds), *flags]
    command += ["--readers", str(readers), "--users", str(users), "--seed", str(SEED)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE_S)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout
