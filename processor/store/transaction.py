"""Writes that are saved together or not at all."""

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
# The session of these writes has been removed, which is no reason to fail the writes of others.
_GONE = (sqlite3.IntegrityError, UnknownSession)


class Transaction:
    """Writes that wait until `commit` carries all of them out.

    Attributes:
        saved: set once what waits now is saved.
        lock: held by a commit until it has succeeded, or has put back what it took: so a second
            commit carries out all that the first could not, in order.
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
        """Hand in a write, and return at once with its result to come."""
        result: AsyncResult[T] = AsyncResult()
        self._jobs.append((lambda connection: work(connection, *args, **kwargs), result))
        return result

    @property
    def waits(self) -> bool:
        """Whether writes wait for the next commit."""
        return bool(self._jobs)

    def take(self) -> _Jobs:
        """Return what waits, and wait for more."""
        jobs, self._jobs = [*self._jobs, (_nothing, self.saved)], []
        self.saved = AsyncResult()
        return jobs

    def put_back(self, jobs: _Jobs) -> None:
        """Have writes wait again that could not be carried out."""
        self._jobs[:0] = jobs

    def give_up(self, error: Exception) -> None:
        """Have all that waits fail."""
        for _, result in self.take():
            result.set_exception(error)


def commit(
    database: Database,
    transactions: Sequence[Transaction],
    beside: Callable[[sqlite3.Connection], None] | None = None,
) -> None:
    """Carry out all that waits in transactions, and `beside`; wait until it is saved.

    Raises:
        StoreFailed: nothing is saved; all of it waits on.
    """
    with ExitStack() as locks:
        # In one order, so that no two commits wait for each other.
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
            # Whether the writes were carried out is unknown: they must not be repeated.
            for _, result in chain.from_iterable(lots):
                result.set_exception(StoreFailed(sqlite3.Error("the commit was broken off")))
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
    """Stand for all writes before it."""
