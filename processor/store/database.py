"""One SQLite connection on a thread of its own, so that a slow disk never stops the loop.

Jobs run one after another in the order in which they were handed in, each in a transaction. So
a read sees every write handed in before it, whether anybody waited for that write or not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import gevent
from gevent.event import AsyncResult, Event
from gevent.threadpool import ThreadPool

from processor.refusal import CannotStart
from processor.store.schema import migrate

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]


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
        opened = self._thread.apply(_open, (file,))
        if isinstance(opened, CannotStart):
            raise opened
        self._connection: sqlite3.Connection = opened
        self._clerk = gevent.spawn(self._serve)

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
            outcomes = self._thread.apply(_run_all, (self._connection, [job for job, _ in jobs]))
            for (_, result), (value, error) in zip(jobs, outcomes, strict=True):
                if error is None:
                    result.set(value)
                else:
                    result.set_exception(error)


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


def _run_all(
    connection: sqlite3.Connection, jobs: list[Work]
) -> list[tuple[Any, Exception | None]]:
    return [_run(connection, job) for job in jobs]


def _run(connection: sqlite3.Connection, job: Work) -> tuple[Any, Exception | None]:
    try:
        connection.execute("BEGIN")
        value = job(connection)
        connection.execute("COMMIT")
    except Exception as error:
        # Whoever handed the job in gets the error.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return None, error
    return value, None


def _nothing(connection: sqlite3.Connection) -> None:
    """Stand at the end of the queue."""
