"""Runs shell commands (`runner.py`) and searches (`worker.py`), each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

import msgspec
from gevent.lock import BoundedSemaphore
from msgspec import Struct

from processor.tools.process import Program, ToolProcesses
from processor.tools.tool import ToolFailed

_RUNNER = Program("runner.py", stop_s=5.0)
_WORKER = Program("worker.py", stop_s=0.2)


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
    """Runs shell commands and searches, but only so many at the same time; further ones wait.

    Args:
        processes: starts the programs.
        most: how many commands and searches may run at the same time.
    """

    def __init__(self, processes: ToolProcesses, most: int) -> None:
        self._processes = processes
        self._free = BoundedSemaphore(most)

    def run_command(self, request: Mapping[str, Any], show: Callable[[str], None]) -> CommandEnd:
        """Run a shell command, wait for its end, and return its result.

        All processes of the command are ended, even if the calling greenlet is killed.

        Args:
            request: the request that `processor.tools.runner` reads.
            show: called with the last characters of the output while the command runs.

        Raises:
            ToolFailed: the command cannot be started, or the program that runs it was killed.
        """
        with self._free, self._processes.started(_RUNNER, request) as process:
            for line in process.lines():
                if "output" in line:
                    show(line["output"])
                elif "pid" in line:
                    process.groups.append(line["pid"])
                elif "failed" in line:
                    raise ToolFailed(f"The command cannot be started: {line['failed']}")
                else:
                    return msgspec.convert(line, CommandEnd)
        raise ToolFailed("The process that ran the command was killed, with the command.")

    def work(self, request: Mapping[str, Any]) -> Generator[dict[str, Any], None, None]:
        """Yield the results of a search, or the text of a web page.

        To stop the work early, close the generator: this kills the process.

        Args:
            request: the request that `processor.tools.worker` reads.
        """
        with self._free, self._processes.started(_WORKER, request) as process:
            yield from process.lines()
