"""Real processes under test: started, watched by their output, and ended by their pid."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.ports import free_port as free_port

ROOT = Path(__file__).parents[1]
DEADLINE_S = 120.0
"""How long a test waits for what takes a second; a busy machine may start a Python in 20 s."""
_POLL_S, _LONGEST_POLL_S = 0.02, 0.1
_PAUSE = 8
"""Pause after a look, in times what the look took: most looks ask a server that has work to do."""
_STOP_S = 60.0

T = TypeVar("T")


def wait_until(condition: Callable[[], T], deadline_s: float = DEADLINE_S, what: str = "") -> T:
    """Return the first true value of `condition`.

    Raises:
        TimeoutError: there is none within `deadline_s`.
    """
    end = time.monotonic() + deadline_s
    while True:
        began = time.monotonic()
        if value := condition():
            return value
        if (now := time.monotonic()) > end:
            raise TimeoutError(f"{what or condition} did not happen within {deadline_s} s")
        threading.Event().wait(min(max(_POLL_S, _PAUSE * (now - began)), _LONGEST_POLL_S))


def at_best(measure: Callable[[], float], bound: float, tries: int = 10) -> float:
    """Return the first of a few measurements that is below `bound`, or else the least.

    Whatever the machine adds to a time, by a pause or by other work, it does not add each time;
    what the product adds, it does.
    """
    least = measure()
    for _ in range(tries - 1):
        if least < bound:
            break
        least = min(least, measure())
    return least


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process under test: without the settings of who runs it."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WEIR_") and not name.lower().endswith("_proxy")
    }
    return {**own, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(env or {})}


class Running:
    """A process with its output in a file.

    Attributes:
        process: the process.
        log: path of what it wrote to stdout and stderr.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path, begin: int = 0) -> None:
        self.process = process
        self.log = log
        self._begin = begin

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_bytes()[self._begin :].decode(errors="replace")

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

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send it a signal that ends it, and return the exit status."""
        self.process.send_signal(number)
        return self.ends()

    def stop(self) -> None:
        """See that it ends, if it has not yet."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def start(
    *command: str,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Running:
    """Start ``python COMMAND…`` in a process group of its own; its output is added to `log`."""
    with log.open("ab") as out:
        begin = out.tell()
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd or ROOT,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(process, log, begin)


@contextmanager
def running(
    *command: str,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[Running]:
    """Run ``python COMMAND…`` for the time of a ``with`` block."""
    one = start(*command, log=log, env=env, cwd=cwd)
    try:
        yield one
    finally:
        one.stop()


def refused(*command: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run ``python COMMAND…``, which must not start; return its exit status and standard error."""
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    return ended.returncode, ended.stderr
