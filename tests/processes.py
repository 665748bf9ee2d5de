"""Real processes under test: started, watched by their output, and ended by their pid."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[1]
DEADLINE_S = 20.0
_POLL_S = 0.02

T = TypeVar("T")


def wait_until(condition: Callable[[], T], deadline_s: float = DEADLINE_S, what: str = "") -> T:
    """Return the first true value of `condition`.

    Raises:
        TimeoutError: there is none within `deadline_s`.
    """
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what or condition} did not happen within {deadline_s} s")
        threading.Event().wait(_POLL_S)
    return value


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Running:
    """A process with its output in a file.

    Attributes:
        process: the process.
        log: path of what it wrote to stdout and stderr.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")

    def says(self, words: str, deadline_s: float = DEADLINE_S) -> str:
        """Wait until a line of its output holds `words`, and return that line."""

        def line() -> str:
            if words not in self.output and self.process.poll() is not None:
                raise AssertionError(f"ended without saying {words!r}:\n{self.output}")
            return next((one for one in self.output.splitlines() if words in one), "")

        return wait_until(line, deadline_s, f"the output {words!r}")

    def ends(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait for its end, and return the exit status."""
        return self.process.wait(deadline_s)


@contextmanager
def running(
    *command: str,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Running]:
    """Run ``python COMMAND…`` for the time of a ``with`` block, in a process group of its own."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(env or {})}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd or ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(6)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
