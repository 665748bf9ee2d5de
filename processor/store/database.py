"""One SQLite connection in a thread of its own, so that a slow disk never blocks the event loop.

A job is a function that gets the connection. The thread calls the jobs one after another in the
order of submission, each in a transaction. So a job that reads sees every write that was submitted
before this job, even if no caller has waited for the write.

A read that may take long has a second connection and thread (`Database.read`), so that no job
waits for this read.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar, cast

import gevent
from gevent.event import AsyncResult, Event
from gevent.threadpool import ThreadPool

from bus.answers import CommandFailed
from bus.process.entry import CannotStart
from processor.native.bounds import STATE_QUOTA
from processor.store.failures import is_busy, translated
from processor.store.schema import migrate

P = ParamSpec("P")
T = TypeVar("T")
Connection = sqlite3.Connection
Work = Callable[[Connection], Any]

SLOW_S = 5.0
BUSY_S = 2.0
"""How long all jobs of one batch together wait for another process that locks the database."""
_RETRY_S = 0.02
_MOST_JOURNAL_BYTES = 64 * 1024 * 1024
_OVERDRAFT = 1.25
"""Running turns may exceed the quota up to this factor; then SQLite reports a full disk."""
# SQLite raises exactly these types for a fault of the disk or the file, other types for a fault of
# the job.
_UNSOUND = (sqlite3.OperationalError, sqlite3.DatabaseError)


class WriteOutcome(NamedTuple):
    """The result of a job: its value or its error, and whether it has changed the database."""

    value: Any
    error: Exception | None
    wrote: bool


class DatabaseUnusable(CannotStart):
    """The file is not a database, or cannot be opened, read or written."""

    def __init__(self, file: Path, error: Exception) -> None:
        super().__init__(f"--state: '{file}' cannot be used: {error}")


class Database:
    """The store's SQLite file, opened and migrated to the present tables.

    Args:
        file: the path; the file is created if it does not exist.
        quota: how many bytes the file may use; 0: no limit.

    Raises:
        DatabaseUnusable: the file is not a database, or cannot be opened.
        NewerDatabase: a newer weir has written the file.
    """

    def __init__(self, file: Path, quota: int = 0) -> None:
        self._file = file
        self._thread = ThreadPool(1)
        self._reads = ThreadPool(1)
        self._jobs: list[tuple[Work, AsyncResult[Any]]] = []
        self._arrived = Event()
        self._began: float | None = None  # when the thread began the running jobs
        self._failure: sqlite3.Error | None = None
        self._quota = quota
        self._wants_checkpoint = False
        opened = self._thread.apply(_open, (file, quota))
        if isinstance(opened, CannotStart):
            raise opened
        self._connection: sqlite3.Connection = opened
        self._used: int = self._thread.apply(_used, (opened,))
        self._clerk = gevent.spawn(self._serve)

    @property
    def trouble(self) -> str | None:
        """A sentence that says why nothing can be saved; None if no problem is known."""
        if self._began is not None and (stands_s := time.monotonic() - self._began) > SLOW_S:
            return f"the store has stood still for {stands_s:.0f} s"
        if self._failure is not None:
            return f"the store failed: {self._failure}"
        return self._over_quota

    def check_quota(self) -> None:
        """Check that the file has not reached its quota.

        Raises:
            CommandFailed: the file has reached its quota.
        """
        if (reason := self._over_quota) is not None:
            raise CommandFailed("no_room", reason, bound=f"--{STATE_QUOTA.name}")

    @property
    def _over_quota(self) -> str | None:
        if not self._quota or self._used < self._quota:
            return None
        return (
            f"the store holds {self._used} bytes of the {self._quota} that --{STATE_QUOTA.name} "
            "allows; delete sessions"
        )

    def try_again(self) -> None:
        """If the last write failed, write again; if that works, `trouble` reports no failure."""
        if self._failure is not None and self._began is None:
            self.submit(_write)

    def submit(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> AsyncResult[T]:
        """Put a job into the queue, and return at once; the result is set once the job has run."""
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
        """Put a job into the queue, and wait for its result.

        Raises:
            StoreFailed: SQLite could not execute the job; all other errors are the job's own.
        """
        return cast(T, self.submit(work, *args, **kwargs).get())

    def read(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Execute a long read at the same time as the jobs.

        The read sees only what was committed before the read began.

        Raises:
            StoreFailed: SQLite could not execute the read.
        """
        value, error = self._reads.apply(
            _read, (self._file, lambda connection: work(connection, *args, **kwargs))
        )
        if error is not None:
            raise translated(error)
        return cast(T, value)

    def truncate_journal(self) -> None:
        """Move the content of SQLite's write-ahead log into the file, and make the log empty.

        SQLite cannot do so inside of a transaction, so the thread does so between two jobs.
        """
        self._wants_checkpoint = True
        self.call(_nothing)

    def close(self) -> None:
        """Run all jobs that are still in the queue, then close the file."""
        self.call(_nothing)
        self._clerk.kill()
        self._thread.apply(self._connection.close)
        self._thread.kill()
        self._reads.kill()

    def _serve(self) -> None:
        while True:
            self._arrived.wait()
            self._arrived.clear()
            jobs, self._jobs = self._jobs, []
            self._began = time.monotonic()
            outcomes, self._used = self._thread.apply(
                _run_all, (self._connection, [job for job, _ in jobs], self._used)
            )
            if self._wants_checkpoint:
                self._wants_checkpoint = False
                self._thread.apply(_checkpoint, (self._connection,))
            self._began = None
            for (_, result), (value, error, wrote) in zip(jobs, outcomes, strict=True):
                self._note(error, wrote)
                if error is None:
                    result.set(value)
                else:
                    result.set_exception(translated(error))

    def _note(self, error: Exception | None, wrote: bool) -> None:
        if type(error) in _UNSOUND:
            self._failure = cast(sqlite3.Error, error)
        elif wrote:
            self._failure = None


def _open(file: Path, quota: int) -> sqlite3.Connection | CannotStart:
    """Return the connection or the error; gevent would print the error if the thread raised it."""
    try:
        return _connect(file, quota)
    except sqlite3.Error as error:
        return DatabaseUnusable(file, error)
    except CannotStart as error:
        return error


def _connect(file: Path, quota: int) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=_RETRY_S, isolation_level=None)
    # SQLite can set this without a VACUUM of the whole file only before the first table is made.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_MOST_JOURNAL_BYTES}")
    migrate(connection, str(file))
    if quota:
        most = int(quota * _OVERDRAFT) // _one(connection, "page_size")
        connection.execute(f"PRAGMA max_page_count = {most}")
    return connection


def _read(file: Path, work: Callable[..., T]) -> tuple[T | None, Exception | None]:
    """Execute a read on a new connection; return its value or its error."""
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=BUSY_S)) as connection:
            connection.execute("PRAGMA query_only = ON")
            return work(connection), None
    except Exception as error:
        # Not raised here, since gevent would print the error of a thread: `Database.read` raises.
        return None, error


def _one(connection: sqlite3.Connection, pragma: str) -> int:
    value: int = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
    return value


def _used(connection: sqlite3.Connection) -> int:
    """Return how many bytes all pages of the file have that contain data."""
    pages = _one(connection, "page_count") - _one(connection, "freelist_count")
    return pages * _one(connection, "page_size")


def _run_all(
    connection: sqlite3.Connection, jobs: list[Work], used: int
) -> tuple[list[WriteOutcome], int]:
    """Execute jobs; return their results, and how many bytes of the file are then in use."""
    outcomes: list[WriteOutcome] = []
    until = time.monotonic() + BUSY_S
    for job in jobs:
        outcome = _run(connection, job)
        while outcome.error is not None and is_busy(outcome.error) and time.monotonic() < until:
            time.sleep(_RETRY_S)
            outcome = _run(connection, job)
        outcomes.append(outcome)
    if any(outcome.wrote for outcome in outcomes):
        with contextlib.suppress(sqlite3.Error):
            used = _used(connection)
    return outcomes, used


def _run(connection: sqlite3.Connection, job: Work) -> WriteOutcome:
    before = connection.total_changes
    try:
        connection.execute("BEGIN")
        value = job(connection)
        connection.execute("COMMIT")
    except Exception as error:
        # Every error is caught, since the caller that submitted the job gets it with the result.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        return WriteOutcome(None, error, wrote=False)
    return WriteOutcome(value, None, wrote=connection.total_changes > before)


def _checkpoint(connection: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):  # another process reads; a later checkpoint succeeds
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _write(connection: sqlite3.Connection) -> None:
    """Insert a row and delete the row, since SQLite writes to the disk only after a change."""
    connection.execute("INSERT INTO removal (time, json) VALUES (0, '')")
    connection.execute("DELETE FROM removal WHERE time = 0")


def _nothing(connection: sqlite3.Connection) -> None:
    """Do nothing; a caller that waits for this job waits for all jobs that are before it."""
