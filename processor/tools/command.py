"""Runs two helper programs: `runner.py` for shell commands, `worker.py` for searches.

Each command or search gets a process of its own. Both programs read a request from stdin (a line
of JSON) and write lines of JSON. If the processor is killed, `runner.py` ends because its stdin
ends, and `worker.py` because the kernel kills it (on Linux). So no process stays behind.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import gevent
import msgspec
from gevent import subprocess
from gevent.lock import BoundedSemaphore
from msgspec import Struct

from processor.tools.descendants import marked, send, send_to_group
from processor.tools.settings import ToolSettings
from processor.tools.tool import ToolFailed

STOP_S = 5.0
"""How long a helper program may take to end before it and all its processes are killed."""
_FOLDER = os.path.dirname(os.path.abspath(__file__))
_MARK = "WEIR_TOOL_PROCESS"


class CommandEnd(Struct):
    """The result of a shell command.

    Attributes:
        end: why the command ended: ``exit``, ``timeout`` or ``abort``.
        exit: the exit status; None if a signal ended the command.
        signal: the number of this signal, else None.
        left: how many processes the command had left running; they were ended.
        stuck: how many processes could not be ended.
        head: the output; if the output is longer than `clip.MOST_BYTES`, only its beginning.
        tail: the end of output that is too long for `head`; else empty.
        shown: the last characters of the output, for clients.
        total: the size of all output in bytes.
        kept: how many of these bytes are in the spool file.
        error: why the spool file could not be written; None if it was.
    """

    end: str
    exit: int | None
    signal: int | None
    left: int
    stuck: int
    head: str
    tail: str
    shown: str
    total: int
    kept: int
    error: str | None


class Programs:
    """Runs at most ``--tool-processes`` helper programs at the same time; further ones wait."""

    def __init__(self, settings: ToolSettings) -> None:
        self._environment = settings.environment
        self._free = BoundedSemaphore(settings.processes)
        self._count = 0

    def run_command(self, request: Mapping[str, Any], show: Callable[[str], None]) -> CommandEnd:
        """Run a shell command, and wait for its end.

        Args:
            request: the request that `processor.tools.runner` reads, without ``environment``.
            show: called with the last characters of the output while the command runs.

        Raises:
            ToolFailed: the command cannot be started, or the program that runs it was killed.
        """
        self._count += 1
        mark = f"{os.getpid()}-{self._count}"
        leader = 0
        with self._free:
            process = self._start("runner.py", {**request, "environment": {_MARK: mark}})
            try:
                for line in _lines(process):
                    if "output" in line:
                        show(line["output"])
                    elif "pid" in line:
                        leader = line["pid"]
                    elif "failed" in line:
                        raise ToolFailed(f"The command cannot be started: {line['failed']}")
                    else:
                        return msgspec.convert(line, CommandEnd)
                raise ToolFailed("The process that ran the command was killed, with the command.")
            finally:
                if _ended(process) != 0:
                    # `runner.py` was killed before it could end the command's processes. They are
                    # found by the process group, and by a variable in their environment.
                    if leader:
                        send_to_group(signal.SIGKILL, leader)
                    send(signal.SIGKILL, marked(f"{_MARK}={mark}"))

    def work(self, request: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """Yield the results of a search, or the text of a web page.

        To stop the work early, close the generator: this kills the process.

        Args:
            request: the request that `processor.tools.worker` reads.
        """
        with self._free:
            process = self._start("worker.py", request)
            try:
                yield from _lines(process)
            finally:
                process.kill()
                _ended(process)

    def _start(self, program: str, request: Mapping[str, Any]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            # -I and -S isolate the program: PYTHONPATH and site packages do not affect what it
            # imports.
            [sys.executable, "-I", "-S", os.path.join(_FOLDER, program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
            cwd="/",
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(msgspec.json.encode(request) + b"\n")
            process.stdin.flush()
        return process


def _lines(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield msgspec.json.decode(line)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Close a program's stdin, wait for its end, or kill it; return its exit status."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        # Read the rest of the output: the program cannot end while its pipe is full.
        gevent.with_timeout(STOP_S, _drain, process, timeout_value=None)
    finally:
        process.kill()
        process.stdout.close()
    return process.wait()


def _drain(process: subprocess.Popen[bytes]) -> None:
    for _ in process.stdout or ():
        pass
    process.wait()
