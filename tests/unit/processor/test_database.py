import sqlite3
import threading
from typing import Any

import gevent
import pytest

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
    slow = rig.database.submit(lambda _: released.wait(10))
    ticks = 0
    with gevent.Timeout(10):
        while ticks < 5:
            gevent.sleep(0.001)
            ticks += 1
    assert not slow.ready()
    released.set()
    assert slow.get()


def _source(db: sqlite3.Connection) -> Any:
    return db.execute("SELECT source FROM identity").fetchone()[0]
