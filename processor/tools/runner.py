"""A program that runs one shell command, and ends all processes that the command has started.

Rules:

1. The first line of stdin is the request (JSON). When stdin ends, the command is ended; stdin also
   ends when the processor is killed.
2. Each line of stdout is a JSON object: ``{"pid": …}`` at the start, ``{"output": …}`` at most ten
   times a second while the command runs, and at last an object with ``end``
   (`processor.tools.command.CommandEnd`).
3. The command leads a POSIX session of its own. Its stdin is empty, and its stdout and stderr are
   one pipe. If the command prints faster than this program can write to disk, the command waits.
4. If the output is longer than `clip.MOST_BYTES`, all of it is written to a spool file. In memory,
   this program keeps only the beginning and the end.
5. When the command ends, or must end, all its processes get SIGTERM and, `GRACE_S` later, SIGKILL.
   Daemons are found too (`processor.tools.descendants`).

This program only imports the standard library, so that it starts in about 50 ms.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

if __name__ == "__main__":
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from processor.tools import clip
from processor.tools.descendants import adopt_orphans, descendants, send, send_to_group
from processor.tools.nofollow import open_folder

CONTROL = 0
READ_BYTES = 64 * 1024
SNAPSHOT_S = 0.1
POLL_S = 0.01
NATURAL_S = 0.05
"""How long to wait for other processes of the command, which often end right after it."""
GRACE_S = 0.4
LAST_S = 3.0
"""How long to try to kill the remaining processes; processes of other users cannot be killed."""


class Output:
    """Collects the output of a command, and writes long output to a file.

    Args:
        spool: the path of the file for long output; the file must not exist.
        most: the limit of this file in bytes.
    """

    def __init__(self, spool: str, most: int) -> None:
        self._spool, self._most = spool, most
        self._head, self._tail = bytearray(), bytearray()
        self._file: int | None = None
        self.total = self.kept = 0
        self.error: str | None = None
        self.is_unshown = False

    def add(self, data: bytes) -> None:
        """Add a piece of output."""
        self.total += len(data)
        self.is_unshown = True
        self._tail += data
        if len(self._tail) > 2 * clip.TAIL_BYTES:
            del self._tail[: -clip.TAIL_BYTES]
        if self.total > clip.MOST_BYTES:
            self._keep(data)
        self._head += data[: clip.MOST_BYTES - len(self._head)]

    def shown(self) -> str:
        """Return the last characters of the output, to show while the command runs."""
        self.is_unshown = False
        return clip.shown(bytes(self._tail))

    def result(self) -> dict[str, Any]:
        """Return the fields of the last stdout line (rule 2) that describe the output."""
        is_cut = self.total > clip.MOST_BYTES
        head, tail = bytes(self._head), bytes(self._tail)
        return {
            "head": clip.beginning(head) if is_cut else clip.text_of(head),
            "tail": clip.ending(tail) if is_cut else "",
            "shown": self.shown(),
            "total": self.total,
            "kept": self.kept,
            "error": self.error,
        }

    def _keep(self, data: bytes) -> None:
        if self.error is not None:
            return
        try:
            if self._file is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self._file = os.open(self._spool, flags, 0o600)
                data = bytes(self._head) + data
            rest = memoryview(data)[: self._most - self.kept]
            while rest:
                written = os.write(self._file, rest)
                self.kept += written
                rest = rest[written:]
        except OSError as error:
            self.error = error.strerror or str(error)


class CommandRun:
    """One command, from its start until all its processes have ended.

    Args:
        request: ``argv``, ``directory``, ``timeout_s``, and the path (``spool``) and the size
            limit (``most``, bytes) of the file for long output.

    Raises:
        OSError: the command cannot be started.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self._output = Output(request["spool"], request["most"])
        self._until = time.monotonic() + request["timeout_s"]
        self._status: int | None = None
        self._wake = _wake_on_signals()
        self._stop = False
        self._is_read = False
        self._pipe, theirs = os.pipe()
        os.set_blocking(self._pipe, False)
        os.fchdir(open_folder(request["directory"]))
        # Keep a reference: the destructor of Popen waits for the process, and would take the exit
        # status away from `_reap`.
        self._process = subprocess.Popen(
            request["argv"],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env={**os.environ, "PWD": request["directory"]},
        )
        self._main = self._process.pid
        os.close(theirs)
        self._poll = select.poll()
        for number in (CONTROL, self._pipe, self._wake):
            self._poll.register(number, select.POLLIN)

    def follow(self) -> None:
        """Wait for the end of the command, end its other processes, and write the last line."""
        _say({"pid": self._main})
        ended = self._until_end()
        left = self._end_rest()
        self._drain()
        status = self._status
        _say(
            {
                "end": ended,
                "exit": None if status is None or status < 0 else status,
                "signal": None if status is None or status >= 0 else -status,
                "left": left,
                "stuck": len(descendants(os.getpid())),
                **self._output.result(),
            }
        )

    def _until_end(self) -> str:
        """Wait until the command ends or must end; return ``exit``, ``timeout`` or ``abort``."""
        next_shown = 0.0
        while self._status is None:
            now = time.monotonic()
            if now >= self._until:
                return "timeout"
            if self._output.is_unshown and now >= next_shown:
                _say({"output": self._output.shown()})
                next_shown = now + SNAPSHOT_S
            wait_until = min(self._until, next_shown) if self._output.is_unshown else self._until
            self._wait(wait_until)
            if self._stop:
                return "abort"
        return "exit"

    def _wait(self, until: float) -> None:
        """Wait for output, a signal or the end of stdin, at most until a time, and handle it."""
        wait_ms = max(0.0, until - time.monotonic()) * 1000
        for number, _ in self._poll.poll(wait_ms):
            if number == self._pipe:
                self._read()
            elif number == self._wake:
                if set(os.read(self._wake, READ_BYTES)) - {signal.SIGCHLD}:
                    self._stop = True
                self._reap()
            elif not os.read(CONTROL, READ_BYTES):
                self._poll.unregister(CONTROL)
                self._stop = True

    def _read(self) -> bool:
        """Read a piece of output, and return whether there was one."""
        try:
            data = os.read(self._pipe, READ_BYTES)
        except BlockingIOError:
            return False
        if not data and not self._is_read:
            self._is_read = True
            self._poll.unregister(self._pipe)
        self._output.add(data)
        return bool(data)

    def _drain(self) -> None:
        """Read the rest of the output, for `LAST_S` at most.

        A process that could not be killed may write for ever.
        """
        until = time.monotonic() + LAST_S
        while time.monotonic() < until and self._read():
            pass

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._main:
                    self._status = os.waitstatus_to_exitcode(status)

    def _end_rest(self) -> int:
        """End all remaining processes; return how many the command had left when it ended."""
        if self._status is not None:
            self._wait_for_rest(NATURAL_S)
        had = len(descendants(os.getpid())) if self._status is not None else 0
        self._send(signal.SIGTERM)
        self._wait_for_rest(GRACE_S)
        until = time.monotonic() + LAST_S
        while self._has_rest() and time.monotonic() < until:
            # A process that forks continuously cannot fork while it is stopped.
            self._send(signal.SIGSTOP)
            self._send(signal.SIGKILL)
            self._wait_for_rest(POLL_S)
        return had

    def _has_rest(self) -> bool:
        self._reap()
        return self._status is None or bool(descendants(os.getpid()))

    def _wait_for_rest(self, most_s: float) -> None:
        """Wait until no process is left, at most for `most_s`.

        Meanwhile read the output: a process that writes to a full pipe cannot end.
        """
        until = time.monotonic() + most_s
        while self._has_rest() and time.monotonic() < until:
            self._wait(min(until, time.monotonic() + POLL_S))

    def _send(self, number: signal.Signals) -> None:
        send(number, descendants(os.getpid()))
        if self._status is None:
            send_to_group(number, self._main)  # without /proc, `descendants` finds no processes


def _wake_on_signals() -> int:
    """Return a pipe to which Python writes the number of each signal that arrives."""
    wake, theirs = os.pipe()
    for number in (wake, theirs):
        os.set_blocking(number, False)
    signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda _number, _frame: None)
    return wake


def _say(line: dict[str, Any]) -> None:
    """Write a line to the processor; ignore a closed pipe, since stdin then ends too (rule 1)."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Read the request from stdin, and run its command."""
    adopt_orphans()
    request = json.loads(sys.stdin.buffer.readline() or b"null")
    if request is None:
        return
    try:
        run = CommandRun(request)
    except OSError as error:
        _say({"failed": f"{error.strerror}: {error.filename or request['directory']}"})
        return
    run.follow()


if __name__ == "__main__":
    main()
