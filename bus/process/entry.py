"""How each command of weir begins and ends: standard streams, help, refusals, exit status."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from bus.process.flags import BadFlag, HelpAsked
from bus.process.hidden_login import hide_login

_OWNER_ONLY = 0o077  # a umask: weir's files contain conversations
_BAD_SETTINGS = 2
_INTERRUPTED = 130
_STREAMS = ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"))


class CannotStart(Exception):
    """A command cannot start; the message is one line with the reason and what to do.

    Attributes:
        status: the exit status; 2 if a restart would fail in the same way.
    """

    status = 1


class OutputLost(OSError):
    """Standard output cannot be written: its reader is gone, or the disk is full."""


def run(name: str, command: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    """Run a command, and return its exit status.

    Args:
        name: the command as a person types it: ``weir up``.
        command: takes the words of the command line.
        words: the command line without the program's name.
    """
    hide_login(words)
    _open_missing_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _tolerant(sys.stdout, _Output)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _tolerant(sys.stderr, _Messages)
    os.umask(_OWNER_ONLY)
    try:
        status = _status(name, command, words)
        sys.stdout.flush()
        return status
    except OutputLost as lost:
        point_at_null(1)
        if lost.errno == errno.EPIPE:
            return 0  # a reader such as head has read enough: no failure
        print(f"{name}: standard output cannot be written: {lost.strerror}", file=sys.stderr)
        return 1


def serve(name: str, command: Callable[[Sequence[str]], int], words: Sequence[str]) -> NoReturn:
    """Run a service, then end this process, or the forked process in which `command` returns.

    The process ends without the interpreter's shutdown, which takes 50 ms of CPU in each process.
    """
    try:
        status = run(name, command, words)
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        status = ended.code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)


def _status(name: str, command: Callable[[Sequence[str]], int], words: Sequence[str]) -> int:
    try:
        return command(words)
    except HelpAsked as asked:
        print(f"{name}\n{asked}")
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BadFlag as error:
        print(f"{name}: {error}", file=sys.stderr)
        return _BAD_SETTINGS
    except CannotStart as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.status


def _open_missing_streams() -> None:
    """Open the null device in place of each standard stream that the caller has closed.

    Otherwise a socket could get the file descriptor of standard error, and log lines would be sent
    on that socket.
    """
    for number, name, mode in _STREAMS:
        try:
            os.fstat(number)
        except OSError:
            point_at_null(number)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


class _Output(io.FileIO):
    """Standard output, whose errors differ in type from those of files and connections."""

    def write(self, data: Any) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            raise OutputLost(error.errno, error.strerror) from error


class _Messages(io.FileIO):
    """Standard error. Text that cannot be written is dropped: nothing else could report it."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)


def _tolerant(stream: io.TextIOWrapper, kind: type[io.FileIO]) -> io.TextIOWrapper:
    """Return a standard stream that accepts any text, whatever its encoding."""
    return io.TextIOWrapper(
        io.BufferedWriter(kind(stream.fileno(), "w", closefd=False)),
        stream.encoding,
        "replace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def point_at_null(number: int) -> None:
    """Connect a standard stream to the null device.

    Otherwise the interpreter would write the buffered text again at its end, and fail again.
    """
    null = os.open(os.devnull, os.O_RDWR)
    if null != number:
        os.dup2(null, number)
        os.close(null)
    os.set_inheritable(number, True)
