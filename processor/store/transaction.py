"""Groups of writes: SQLite saves all writes of a group, or none of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain
from typing import Any, Concatenate, ParamSpec, TypeVar

from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore

from processor.store.database import Database, Work
from processor.store.failures import StoreFailed, translated
from processor.store.sessions import UnknownSession

P = ParamSpec("P")
T = TypeVar("T")

_Jobs = list[tuple[Work, "AsyncResult[Any]"]]
# These errors mean that the session of a group of writes was removed; the other groups are saved.
_GONE = (sqlite3.IntegrityError, UnknownSession)


class Transaction:
    """Writes that wait for the next `commit`.

    Attributes:
        saved: the result of the next commit: set once all writes that wait now are saved.
        lock: a commit keeps this lock until it has succeeded, or has put its writes back. So a
            second commit executes the writes that the first could not execute, in their order.
    """

    def __init__(self) -> None:
        self.lock = BoundedSemaphore(1)
        self.saved: AsyncResult[None] = AsyncResult()
        self._jobs: _Jobs = []

    def submit(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> AsyncResult[T]:
        """Add a write, and return at once; the result is set when `commit` has saved the write."""
        result: AsyncResult[T] = AsyncResult()
        self._jobs.append((lambda connection: work(connection, *args, **kwargs), result))
        return result

    @property
    def waits(self) -> bool:
        """Whether any write waits for the next commit."""
        return bool(self._jobs)

    def take(self) -> _Jobs:
        """Remove the waiting writes, and return them with the job that sets `saved`."""
        jobs, self._jobs = [*self._jobs, (_nothing, self.saved)], []
        self.saved = AsyncResult()
        return jobs

    def put_back(self, jobs: _Jobs) -> None:
        """Put writes that could not be executed back, before all later writes."""
        self._jobs[:0] = jobs

    def give_up(self, error: Exception) -> None:
        """Let all waiting writes fail with `error`."""
        for _, result in self.take():
            result.set_exception(error)


def commit(
    database: Database,
    transactions: Sequence[Transaction],
    beside: Callable[[sqlite3.Connection], None] | None = None,
) -> None:
    """Execute the waiting writes of all `transactions` in one job, and wait until they are saved.

    If a session was removed, only the writes of its own transaction fail. `beside` is one more
    write in the same job.

    Raises:
        StoreFailed: nothing is saved, and all writes wait for another commit.
    """
    with ExitStack() as locks:
        # All commits take the locks in the same order, so that no two of them block each other.
        for one in sorted(transactions, key=id):
            locks.enter_context(one.lock)
        lots = [one.take() for one in transactions]
        work = [[job for job, _ in jobs] for jobs in lots]
        try:
            outcomes = database.call(partial(_carry_out, lots=work, beside=beside))
        except StoreFailed:
            for one, jobs in zip(transactions, lots, strict=True):
                one.put_back(jobs)
            raise
        except BaseException:
            # The writes may have been executed or not, so a repetition could apply them twice.
            for _, result in chain.from_iterable(lots):
                result.set_exception(
                    StoreFailed(
                        sqlite3.Error(
                            "the commit was interrupted; what it writes may be saved or not"
                        )
                    )
                )
            raise
    for jobs, outcome in zip(lots, outcomes, strict=True):
        for at, (_, result) in enumerate(jobs):
            if isinstance(outcome, Exception):
                result.set_exception(outcome)
            else:
                result.set(outcome[at])


def _carry_out(
    db: sqlite3.Connection,
    lots: Sequence[Sequence[Work]],
    beside: Callable[[sqlite3.Connection], None] | None,
) -> list[list[Any] | Exception]:
    outcomes: list[list[Any] | Exception] = []
    for jobs in lots:
        db.execute("SAVEPOINT lot")
        try:
            outcomes.append([job(db) for job in jobs])
        except _GONE as error:
            db.execute("ROLLBACK TO lot")
            outcomes.append(translated(error))
        db.execute("RELEASE lot")
    if beside is not None:
        beside(db)
    return outcomes


def _nothing(connection: sqlite3.Connection) -> None:
    """Do nothing; the result of this job is `Transaction.saved`."""
