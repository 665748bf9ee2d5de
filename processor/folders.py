"""Looks up folders and files for clients, in threads, since a network share may hang.

Rules:

1. The event loop never waits for a file. A client whose folder does not answer within `WITHIN_S`
   gets an error; the work of other clients goes on.
2. Work that hangs holds its thread. So the same work is never done twice at the same time: a
   client that asks again waits for the first one, and gets the error at once after its deadline.
3. Tools and the look-up of host names have other threads.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar, cast

import gevent
from gevent.event import AsyncResult
from msgspec import Struct
from msgspec.structs import replace

from bus.answers import CommandFailed
from bus.commands import (
    Command,
    Describe,
    Dispose,
    Files,
    Search,
    SessionCreate,
    SessionList,
    SessionsV2,
    Statuses,
)
from processor.native.projects import Project, project_of
from processor.tools.threads import Threads

T = TypeVar("T")

WITHIN_S = 5.0
"""How long a client waits for a file or folder."""
MOST_WAITING = 256
"""How many pieces of work may wait or run."""
_MOST_PROJECTS = 1024
_OF_A_FOLDER = (
    SessionCreate | SessionList | SessionsV2 | Statuses | Describe | Dispose | Search | Files
)


class _Work(Struct):
    until: float
    result: AsyncResult[Any]


class Folders:
    """Does the file work of clients' commands."""

    def __init__(self) -> None:
        self._threads = Threads()
        self._running: dict[tuple[Any, ...], _Work] = {}
        self._projects: OrderedDict[str, Project] = OrderedDict()

    def run(self, directory: str, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function that reads files in a thread; return its result, or raise its exception.

        Args:
            directory: the folder for the error message.
            function: the function; it changes nothing.
            *arguments: hashable arguments of the function.

        Raises:
            CommandFailed: the function has not ended within `WITHIN_S`, or too many wait.
        """
        name = (function, *arguments)
        work = self._running.get(name)
        if work is None:
            if len(self._running) >= MOST_WAITING:
                raise _late(f"{MOST_WAITING} other folders and files are being read")
            work = self._running[name] = _Work(time.monotonic() + WITHIN_S, AsyncResult())
            gevent.spawn(self._do, name, work)
        if (left_s := work.until - time.monotonic()) > 0:
            work.result.wait(left_s)
        if not work.result.ready():
            raise _late(f"the folder {directory!r} has not answered within {WITHIN_S:g} s")
        return cast(T, work.result.get())

    def placed(self, command: Command) -> Command:
        """Return a command whose directory, if it has one, is resolved.

        Raises:
            CommandFailed: the directory does not answer in time.
        """
        if isinstance(command, _OF_A_FOLDER) and command.directory is not None:
            found = self.run(command.directory, resolved, command.directory)
            return replace(command, directory=found)
        return command

    def project(self, directory: str) -> Project:
        """Return the project of a directory.

        Results are kept: a work tree that is made or removed later is not noticed.

        Raises:
            CommandFailed: the directory does not answer in time.
        """
        found = self._projects.get(directory)
        if found is None:
            found = self.run(directory, project_of, directory)
        self._projects[directory] = found
        self._projects.move_to_end(directory)
        if len(self._projects) > _MOST_PROJECTS:
            self._projects.popitem(last=False)
        return found

    def worktree(self, directory: str) -> str:
        """Return the work tree of a directory, or the directory if it does not answer in time."""
        try:
            return self.project(directory).worktree
        except CommandFailed:
            return directory

    def known(self, directory: str) -> Project | None:
        """Return the project of a directory if it has been looked up; never wait."""
        return self._projects.get(directory)

    def _do(self, name: tuple[Any, ...], work: _Work) -> None:
        function, *arguments = name
        try:
            work.result.set(self._threads.run(function, *arguments))
        except Exception as error:
            work.result.set_exception(error)
        finally:
            del self._running[name]


def resolved(path: str) -> str:
    """Return an absolute path without symbolic links, as opencode names folders.

    A folder that does not exist, or must not be read, keeps its name.
    """
    try:
        return os.path.realpath(path, strict=True)
    except (OSError, ValueError):
        return path


def _late(message: str) -> CommandFailed:
    return CommandFailed("unavailable", message, retry_after_s=5)
