import sqlite3
import threading
from typing import Any

import gevent
import pytest

from processor.store import database
from processor.store.failures import StoreFailed
from tests.processes import DEADLINE_S
from tests.unit.processor.rig import Rig


def test_jobs_run_in_the_order_in_which_they_were_handed_in(rig: Rig) -> None:
    ran: list[int] = []
    for number in range(50):
        rig.database.submit(lambda _, n=number: ran.append(n))
    rig.database.call(lambda _: None)
    assert ran == list(range(50))


def test_a_job_that_fails_is_undone_and_tells_its_owner_alone(rig: Rig) -> None:
    def half(db: sqlite3.Connection) -> None:
        db.execute("UPDATE identity SET source = 'changed'")
        raise RuntimeError("half way")

    before = rig.database.call(_source)
    failed = rig.database.submit(half)
    after = rig.database.submit(_source)
    with pytest.raises(RuntimeError, match="half way"):
        failed.get()
    assert after.get() == before


def test_a_slow_disk_does_not_stop_the_loop(rig: Rig) -> None:
    released = threading.Event()
    slow = rig.database.submit(lambda _: released.wait(DEADLINE_S))
    ticks = 0
    with gevent.Timeout(DEADLINE_S):
        while ticks < 5:
            gevent.sleep(0.001)
            ticks += 1
    assert not slow.ready()
    released.set()
    assert slow.get()


def test_a_store_that_cannot_be_written_says_so_until_it_can(rig: Rig) -> None:
    def write() -> None:
        rig.database.call(lambda db: db.execute("UPDATE identity SET source = 'changed'"))

    assert rig.database.trouble is None
    rig.database.call(lambda db: db.execute("PRAGMA query_only = 1"))
    with pytest.raises(StoreFailed) as failed:
        write()
    assert type(failed.value.__cause__) is sqlite3.OperationalError
    for _ in range(2):
        assert rig.database.trouble == "the store failed: attempt to write a readonly database"
        rig.database.try_again()
        rig.database.call(_source)
    rig.database.call(lambda db: db.execute("PRAGMA query_only = 0"))
    assert rig.database.trouble is not None
    rig.database.try_again()
    rig.database.call(_source)
    assert rig.database.trouble is None


def test_a_job_that_is_wrong_is_no_trouble_of_the_store(rig: Rig) -> None:
    with pytest.raises(StoreFailed) as failed:
        rig.database.call(lambda db: db.execute("UPDATE identity SET source = NULL"))
    assert isinstance(failed.value.__cause__, sqlite3.IntegrityError)
    assert rig.database.trouble is None


def test_a_store_that_stands_still_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SLOW_S", 0.05)
    released = threading.Event()
    slow = rig.database.submit(lambda _: released.wait(DEADLINE_S))
    with gevent.Timeout(DEADLINE_S):
        while rig.database.trouble is None:
            gevent.sleep(0.01)
    assert "has stood still for" in str(rig.database.trouble)
    released.set()
    slow.get()
    assert rig.database.trouble is None


def _source(db: sqlite3.Connection) -> Any:
    return db.execute("SELECT source FROM identity").fetchone()[0]
