"""Starts the processes of a benchmark, and exchanges lines of JSON with them."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_STOP_S = 8.0
_PR_SET_PDEATHSIG = 1


class Child:
    """A child process that reads commands and writes answers, each a line of JSON.

    Attributes:
        pid: the process id.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._heard = bytearray()
        self.pid = process.pid

    def tell(self, what: Any) -> None:
        """Send the process a line of JSON."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        self._process.stdin.flush()

    def hear(self, deadline_s: float) -> Any:
        """Wait for the next line that the process writes, and decode its JSON.

        Raises:
            TimeoutError: the process writes no line within `deadline_s`.
            EOFError: the process has ended.
        """
        return json.loads(self.line(deadline_s))

    def line(self, deadline_s: float) -> str:
        """Wait for the next line that the process writes, and return it; raises as `hear` does."""
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        end = time.monotonic() + deadline_s
        while b"\n" not in self._heard:
            ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError(
                    f"the process {self._process.args!r} has written nothing for {deadline_s:g} s"
                )
            piece = os.read(fd, 1 << 16)
            if not piece:
                raise EOFError(f"the process {self._process.args!r} has ended")
            self._heard += piece
        line, _, rest = self._heard.partition(b"\n")
        self._heard = bytearray(rest)
        return line.decode()


@contextlib.contextmanager
def started(
    command: Sequence[str],
    *,
    stderr: IO[bytes] | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Child]:
    """Run a command as a child process during a ``with`` block; end the process after it.

    Args:
        command: the words of the command line.
        stderr: the standard error of the child; None: that of this process.
        cwd: the current folder of the child; None: that of this process.
        env: the environment variables of the child; None: those of this process.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        bufsize=0,
        start_new_session=True,
        preexec_fn=_die_along,
    )
    try:
        yield Child(process)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


def _die_along() -> None:
    """Have the kernel end the child when its parent, the benchmark, is killed (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
