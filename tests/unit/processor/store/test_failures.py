"""What is wrong with the store is said honestly: it may pass, or not, and nothing is a 500."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

from bus.bodies import CreateBody
from processor.store import failures
from processor.store.failures import StoreFailed
from tests.processes import DEADLINE_S
from tests.unit.processor.rig import DIRECTORY, Rig


def hold(rig: Rig, folder: Path, how: str) -> sqlite3.Connection:
    other = sqlite3.connect(folder / "weir.db", isolation_level=None)
    other.execute(how)
    return other


def refusal(job: Callable[[], Any]) -> tuple[str, int | None, str]:
    with pytest.raises(StoreFailed) as failed:
        job()
    found = failures.refusal(failed.value)
    return found.kind, found.retry_after_s, found.message


def test_a_database_that_another_process_holds_is_busy_and_soon_free(
    rig: Rig, tmp_path: Path
) -> None:
    other = hold(rig, tmp_path, "BEGIN IMMEDIATE")
    said = refusal(lambda: rig.sessions.create(DIRECTORY, CreateBody()))
    assert said == ("unavailable", 1, "the store failed: database is locked")
    other.execute("ROLLBACK")
    rig.sessions.create(DIRECTORY, CreateBody())


def test_a_job_waits_for_another_process_that_is_soon_done(rig: Rig, tmp_path: Path) -> None:
    other = hold(rig, tmp_path, "BEGIN IMMEDIATE")
    made = gevent.spawn(rig.sessions.create, DIRECTORY, CreateBody())
    gevent.sleep(0.1)
    other.execute("ROLLBACK")
    assert made.get(timeout=DEADLINE_S).directory == DIRECTORY


def test_what_waits_behind_a_busy_job_does_not_wait_again(rig: Rig, tmp_path: Path) -> None:
    other = hold(rig, tmp_path, "BEGIN IMMEDIATE")
    began = time.monotonic()
    write = "UPDATE identity SET source = 'x'"
    jobs = [rig.database.submit(lambda db: db.execute(write)) for _ in range(20)]
    for job in jobs:
        assert refusal(job.get)[0] == "unavailable"
    assert time.monotonic() - began < 8, "one after the other it would be forty seconds"
    other.execute("ROLLBACK")
    rig.database.call(lambda db: db.execute(write))


def test_a_database_that_cannot_be_written_may_be_written_later(rig: Rig) -> None:
    rig.database.call(lambda db: db.execute("PRAGMA query_only = 1"))
    kind, retry_s, message = refusal(lambda: rig.sessions.create(DIRECTORY, CreateBody()))
    assert (kind, retry_s) == ("unavailable", 30)
    assert "readonly" in message


def test_a_disk_that_is_full_has_no_room(rig: Rig) -> None:
    rig.database.call(lambda db: db.execute("PRAGMA max_page_count = 1").fetchall())
    body = CreateBody(title="x" * 100_000)
    assert refusal(lambda: rig.sessions.create(DIRECTORY, body))[:2] == ("no_room", None)


@pytest.mark.parametrize("name", ["SQLITE_IOERR_FSYNC", "SQLITE_CANTOPEN", "SQLITE_CORRUPT"])
def test_other_failures_of_the_disk_are_no_mistakes_of_the_processor(name: str) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = getattr(sqlite3, name)
    assert failures.refusal(StoreFailed(error)).kind == "unavailable"


def test_a_mistake_in_a_job_is_one_of_the_processor(rig: Rig) -> None:
    assert refusal(lambda: rig.database.call(lambda db: db.execute("no SQL")))[0] == "internal"


def test_a_job_that_cannot_even_be_undone_does_not_end_the_store(rig: Rig) -> None:
    def roll_back_and_fail(db: sqlite3.Connection) -> None:
        db.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(StoreFailed, match="disk I/O error"):
        rig.database.call(roll_back_and_fail)
    assert rig.database.call(lambda db: db.execute("SELECT 1").fetchone()) == (1,)
