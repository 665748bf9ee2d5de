"""Starts the programs that work for tools, and ends all processes that such a program leaves.

The programs are `runner.py` for shell commands, `worker.py` for searches, and `mcp/host.py` for
MCP servers. Each command, search or server has a program of its own.

Rules:

1. A program reads lines of JSON from stdin, and writes lines of JSON to stdout. Its first line of
   stdin is its request. When stdin ends, the program ends all processes that it has started, and
   then itself. So no process stays behind if the processor is killed.
2. If a program ends with a status other than 0, some of its processes may still run: a command can
   kill the program that runs the command. Then these processes are killed. They are found by a
   variable in their environment.
3. A process can drop the variable. But on Linux the processor is a subreaper, so the kernel makes
   it the parent of each process whose program has ended. So every child of the processor that is
   in another POSIX session, and that is not a program, is killed too. A process can begin a new
   session, but cannot join the processor's session. Elsewhere, process groups are killed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import gevent
from gevent import subprocess
from gevent.lock import BoundedSemaphore
from msgspec import Struct

from bus import json
from processor.tools.descendants import (
    adopts_orphans,
    children,
    marked,
    orphans,
    send,
    send_to_group,
)

MARK = "WEIR_TOOL_PROCESS"
_KILL_S = 3.0
"""How long to try to kill processes; those of other users cannot be killed."""
_POLL_S = 0.01
_FOLDER = os.path.dirname(os.path.abspath(__file__))


class Program(Struct, frozen=True):
    """A program that works for tools.

    Attributes:
        file: the path of the program, relative to this folder.
        stop_s: how long the program may take to end after its stdin has ended; then it is killed.
        has_packages: whether the program imports packages besides the standard library.
    """

    file: str
    stop_s: float
    has_packages: bool = False


class ToolProcess:
    """A running program.

    Attributes:
        id: the id of the process, which is also the id of its process group.
        groups: the process groups to kill if the program does not end by itself.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.id: int = process.pid
        self.groups = [process.pid]

    def send(self, line: Any) -> None:
        """Write a line to the program's stdin.

        Raises:
            OSError: the program has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.encode(line) + b"\n")
            self._process.stdin.flush()
        except ValueError as error:  # stdin is closed
            raise BrokenPipeError(str(error)) from error

    def lines(self) -> Iterator[Any]:
        """Yield the lines that the program writes, until it closes stdout."""
        for line in self._process.stdout or ():
            yield json.decode(line)

    def end(self, within_s: float) -> int:
        """Close stdin, wait for the end of the program, or kill it; return its exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            # Read the rest of the output: the program cannot end while its pipe is full.
            gevent.with_timeout(within_s, self._drain, timeout_value=None)
        finally:
            self._process.kill()
            self._process.stdout.close()
        return self._process.wait()

    def _drain(self) -> None:
        for _ in self._process.stdout or ():
            pass
        self._process.wait()


class ToolProcesses:
    """The programs that run.

    Args:
        environment: the environment variables of the programs.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        # Children that exist before any tool has run belong to the script that started weir.
        self._known = children()
        self._starting = BoundedSemaphore(1)

    @contextlib.contextmanager
    def started(self, program: Program, request: Any) -> Iterator[ToolProcess]:
        """Start a program; at the end of the ``with`` block, end it and all its processes.

        Args:
            program: the program.
            request: the first line that the program reads.
        """
        mark = secrets.token_hex(16)
        process = self._start(program, mark)
        try:
            with contextlib.suppress(BrokenPipeError):
                process.send(request)
            yield process
        finally:
            status = -1
            try:
                status = process.end(program.stop_s)
            finally:
                self._known.discard(process.id)
                if status != 0:
                    self._kill_rest(process, f"{MARK}={mark}")

    def _start(self, program: Program, mark: str) -> ToolProcess:
        # -I and -S isolate the program: PYTHONPATH and site packages do not affect what it
        # imports.
        flags = ["-I"] if program.has_packages else ["-I", "-S"]
        # Until its id is in `_known`, `_kill_rest` would take the new process for an orphan.
        with self._starting:
            process = subprocess.Popen(
                [sys.executable, *flags, os.path.join(_FOLDER, program.file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Packages may print anything.
                stderr=subprocess.DEVNULL if program.has_packages else None,
                env={**self._environment, MARK: mark},
                start_new_session=True,
                cwd="/",
            )
            self._known.add(process.pid)
        return ToolProcess(process)

    def _kill_rest(self, process: ToolProcess, mark: str) -> None:
        """Kill the processes that a program has left running (rules 2 and 3)."""
        if not adopts_orphans():  # else all are found by their parents, which is exact
            for group in process.groups:
                send_to_group(signal.SIGKILL, group)
        until = time.monotonic() + _KILL_S
        while (rest := self._rest(mark)) and time.monotonic() < until:
            # A process that forks continuously cannot fork while it is stopped.
            send(signal.SIGSTOP, rest)
            send(signal.SIGKILL, rest)
            gevent.sleep(_POLL_S)

    def _rest(self, mark: str) -> list[int]:
        if not adopts_orphans():
            return marked(mark)
        with self._starting:
            return [*marked(mark), *orphans(self._known)]
