"""Runs the programs of tools: commands of `bash`, and searches, each in a process of its own.

Both programs read a request from stdin (a line of JSON), end when stdin ends, and write lines of
JSON. So a tool leaves no process behind when it ends, even if the processor is killed.
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
"""How long a program may take to end, before it and all its processes are killed."""
_FOLDER = os.path.dirname(os.path.abspath(__file__))
_MARK = "WEIR_TOOL_PROCESS"


class CommandEnd(Struct):
    """The end of a command.

    Attributes:
        end: the cause: ``exit``, ``timeout`` or ``abort``.
        exit: its status; None if it was ended by a signal.
        signal: number of this signal.
        left: processes that it had left running, and that were ended.
        stuck: processes that could not be ended.
        head: all of its output; if that is longer than `clip.MOST_BYTES`, the beginning.
        tail: the end of such output.
        shown: the last snapshot while it was running.
        total: bytes of all output.
        kept: how many of these bytes are in the spool file.
        error: why some of them are missing.
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
    """Runs a bounded number of programs at once; others wait."""

    def __init__(self, settings: ToolSettings) -> None:
        self._environment = settings.environment
        self._free = BoundedSemaphore(settings.processes)
        self._count = 0

    def run_command(self, request: Mapping[str, Any], show: Callable[[str], None]) -> CommandEnd:
        """Run a command to its end.

        Args:
            request: for `processor.tools.runner`, without ``environment``.
            show: called with each snapshot.

        Raises:
            ToolFailed: the command cannot be started, or its runner was killed.
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
                    # The runner was killed before it could end the command.
                    if leader:
                        send_to_group(signal.SIGKILL, leader)
                    send(signal.SIGKILL, marked(f"{_MARK}={mark}"))

    def work(self, request: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """Yield the results of a search or a conversion; to close the generator ends that work.

        Args:
            request: as `processor.tools.worker` takes it.
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
            # With -I and -S, neither the folder nor the environment of a session affects its
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
    """End a program, and return its exit status."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        # Read the rest of its output: it cannot end while its pipe is full.
        gevent.with_timeout(STOP_S, _drain, process, timeout_value=None)
    finally:
        process.kill()
        process.stdout.close()
    return process.wait()


def _drain(process: subprocess.Popen[bytes]) -> None:
    for _ in process.stdout or ():
        pass
    process.wait()
