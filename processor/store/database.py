"""One SQLite connection on a thread of its own, so that a slow disk never stops the loop.

Jobs run one after another in the order in which they were handed in, each in a transaction. So
a read sees every write handed in before it, whether anybody waited for that write or not.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar, cast

import gevent
from gevent.event import AsyncResult, Event
from gevent.threadpool import ThreadPool

from processor.refusal import CannotStart
from processor.store.schema import migrate

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

SLOW_S = 5.0
# What is wrong with the disk or the file; the rest is wrong with the job.
_UNSOUND = (sqlite3.OperationalError, sqlite3.DatabaseError)


class Outcome(NamedTuple):
    """What came of a job."""

    value: Any
    error: Exception | None
    wrote: bool


class DatabaseUnusable(CannotStart):
    """The file is no database, or cannot be opened, read or written."""

    def __init__(self, file: Path, error: sqlite3.Error) -> None:
        super().__init__(f"--state: '{file}' cannot be used: {error}")


class Database:
    """The store's file, opened and migrated.

    Args:
        file: made if it does not exist.

    Raises:
        DatabaseUnusable: it is not a database, or cannot be opened.
        NewerDatabase: a newer weir has written it.
    """

    def __init__(self, file: Path) -> None:
        self._thread = ThreadPool(1)
        self._jobs: list[tuple[Work, AsyncResult[Any]]] = []
        self._arrived = Event()
        self._began: float | None = None  # when the jobs that run now began
        self._failure: sqlite3.Error | None = None
        opened = self._thread.apply(_open, (file,))
        if isinstance(opened, CannotStart):
            raise opened
        self._connection: sqlite3.Connection = opened
        self._clerk = gevent.spawn(self._serve)

    @property
    def trouble(self) -> str | None:
        """Why nothing can be saved, in words; None if nothing is known against it."""
        if self._began is not None and (stands_s := time.monotonic() - self._began) > SLOW_S:
            return f"the store has stood still for {stands_s:.0f} s"
        return None if self._failure is None else f"the store failed: {self._failure}"

    def try_again(self) -> None:
        """Write something if that failed last time; `trouble` tells what comes of it."""
        if self._failure is not None and self._began is None:
            self.submit(_write)

    def submit(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> AsyncResult[T]:
        """Hand in a job, and return at once with its result to come."""
        result: AsyncResult[T] = AsyncResult()
        self._jobs.append((lambda connection: work(connection, *args, **kwargs), result))
        self._arrived.set()
        return result

    def call(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Hand in a job, and wait for what it returns or raises."""
        return cast(T, self.submit(work, *args, **kwargs).get())

    def close(self) -> None:
        """Finish what was handed in, and close the file."""
        self.call(_nothing)
        self._clerk.kill()
        self._thread.apply(self._connection.close)
        self._thread.kill()

    def _serve(self) -> None:
        while True:
            self._arrived.wait()
            self._arrived.clear()
            jobs, self._jobs = self._jobs, []
            self._began = time.monotonic()
            outcomes = self._thread.apply(_run_all, (self._connection, [job for job, _ in jobs]))
            self._began = None
            for (_, result), (value, error, wrote) in zip(jobs, outcomes, strict=True):
                self._note(error, wrote)
                if error is None:
                    result.set(value)
                else:
                    result.set_exception(error)

    def _note(self, error: Exception | None, wrote: bool) -> None:
        if type(error) in _UNSOUND:
            self._failure = cast(sqlite3.Error, error)
        elif wrote:
            self._failure = None


def _open(file: Path) -> sqlite3.Connection | CannotStart:
    """Return the connection, or what is wrong: gevent prints what a thread raises."""
    try:
        return _connect(file)
    except sqlite3.Error as error:
        return DatabaseUnusable(file, error)
    except CannotStart as error:
        return error


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection, str(file))
    return connection


def _run_all(connection: sqlite3.Connection, jobs: list[Work]) -> list[Outcome]:
    return [_run(connection, job) for job in jobs]


def _run(connection: sqlite3.Connection, job: Work) -> Outcome:
    before = connection.total_changes
    try:
        connection.execute("BEGIN")
        value = job(connection)
        connection.execute("COMMIT")
    except Exception as error:
        # Whoever handed the job in gets the error.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return Outcome(None, error, wrote=False)
    return Outcome(value, None, wrote=connection.total_changes > before)


def _write(connection: sqlite3.Connection) -> None:
    """Write what tells nobody anything; where nothing changes, SQLite would not touch the disk."""
    connection.execute("INSERT INTO removal (time, json) VALUES (0, '')")
    connection.execute("DELETE FROM removal WHERE time = 0")


def _nothing(connection: sqlite3.Connection) -> None:
    """Stand at the end of the queue."""
