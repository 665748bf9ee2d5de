"""`weir up` as a shell starts it: in odd folders, with odd streams, in namespaces of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.blackbox.weir_up import Up
from tests.http_client import Reply
from tests.processes import DEADLINE_S, ROOT, Running, environment, free_port, wait_until

WEIR = Path(sys.executable).with_name("weir")
NAMELESS = 54321
"""A uid that no `passwd` knows."""


class OddUp(Up):
    """A deployment that may have nowhere to say that it is ready.

    Attributes:
        url: where its gateway is to answer.
        running: the shell, or what the shell became.
    """

    def __init__(self, process: Running, host: str, port: int) -> None:
        self.running = process
        self.url = f"http://{host}:{port}"

    def ready(self) -> Reply:
        """Wait until everything answers."""

        def answer() -> Reply | None:
            assert self.running.process.poll() is None, self.output
            try:
                reply = self.call("GET", "/weir/readyz")
            except OSError:
                return None
            return reply if reply.status == 200 else None

        return wait_until(answer, what="readiness")

    def stop(self) -> int:
        """Have `weir up` end as it should; return the exit status."""
        os.kill(self.pid, 15)
        return self.running.ends()

    @property
    def pid(self) -> int:
        """Of `weir up`, which `unshare` may have started as its child."""
        shell = self.running.process.pid
        mine = [shell, *children_of(shell)]
        return next(pid for pid in mine if command_of(pid).startswith(f"{sys.executable} {WEIR}"))


def children_of(pid: int) -> list[int]:
    """Return the pids of the children of a process, as they are outside its namespace."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_of(pid: int) -> str:
    """Return the command line of a process, empty if it has ended."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def need(*command: str) -> None:
    """Skip a test where a command fails: this machine, or this user, is not allowed so much."""
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=DEADLINE_S)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"{command[0]} fails: {error}")


def environ(**changed: str | None) -> dict[str, str]:
    """Return an environment for weir, without the variables that are None here."""
    merged: dict[str, str | None] = {**environment(), **changed}
    return {name: value for name, value in merged.items() if value is not None}


@contextmanager
def odd_up(
    folder: Path, script: str, *flags: str, host: str = "127.0.0.1", **env: str | None
) -> Iterator[OddUp]:
    """Have bash run a script in which ``"$@"`` is the command line of `weir up`.

    Args:
        folder: where the log is.
        script: ends in ``exec``.
        flags: of `weir up`.
        host: in a URL.
        env: changes to the environment; None takes a variable away.
    """
    if not WEIR.exists():
        pytest.skip("weir is not installed")
    port, log = free_port(), folder / "up.log"
    words = [str(WEIR), "up", "--port", str(port), "--host", host, "--workers", "1", *flags]
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", *words],
            cwd=ROOT,
            env=environ(**env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(process, log)
    try:
        yield OddUp(running, host, port)
    finally:
        running.stop()
