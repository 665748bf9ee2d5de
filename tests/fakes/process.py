"""Starting the fakes from a test, and ending them whatever the test does."""

import json
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

ROOT = Path(__file__).parents[2]
DEADLINE_S = 120.0
POLL_S = 0.01

# A proxy of the environment must not see requests to the loopback.
_open = build_opener(ProxyHandler({})).open


class Provider:
    """A running `tests.fakes.provider`."""

    def __init__(self, url: str, pid: int) -> None:
        """Hold the address of a provider that is ready."""
        self.url = url
        """Base URL as a client is given it, with ``/v1`` at its end."""
        self.pid = pid

    def requests(self) -> list[dict[str, Any]]:
        """What was asked for so far: ``{"path", "prompt", "aborted"}`` in order of arrival."""
        with _open(f"{self.url.removesuffix('/v1')}/requests", timeout=DEADLINE_S) as reply:
            return json.load(reply)

    def release(self) -> None:
        """Have answers end that are held."""
        with _open(f"{self.url.removesuffix('/v1')}/release", b"", timeout=DEADLINE_S):
            return

    def wait_for(
        self, condition: Callable[[list[dict[str, Any]]], bool], deadline_s: float = DEADLINE_S
    ) -> list[dict[str, Any]]:
        """Wait until `condition` holds of the requests, and return them.

        Raises:
            TimeoutError: It does not hold within `deadline_s` seconds.
        """
        end = time.monotonic() + deadline_s
        while not condition(seen := self.requests()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {deadline_s} s; requests: {seen}")
            threading.Event().wait(POLL_S)
        return seen


@contextmanager
def start_provider() -> Iterator[Provider]:
    """Run a provider on a free port for the time of a ``with`` block.

    Raises:
        RuntimeError: It does not tell its address within `DEADLINE_S` seconds.
    """
    command = [sys.executable, "-m", "tests.fakes.provider", "--port", "0", "--until-eof"]
    # Its standard input is ours to hold: should this process be killed, the fake ends as well.
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as process:
        try:
            yield Provider(_first_line(process), process.pid)
        finally:
            process.kill()


def _first_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], DEADLINE_S)
    line = process.stdout.readline().decode().strip() if ready else ""
    if not line:
        raise RuntimeError(f"{process.args!r} told no address within {DEADLINE_S} s")
    return line
