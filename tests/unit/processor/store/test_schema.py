import sqlite3
from contextlib import ExitStack
from pathlib import Path

import pytest

from bus.transport.endpoints import Endpoints
from processor.native.native import Native
from processor.settings import ProcessorSettings
from processor.store import messages, sessions
from processor.store.database import Database, DatabaseUnusable
from processor.store.schema import MIGRATIONS, NewerDatabase, migrate
from tests.unit.processor.rig import Rig


def older(file: Path) -> None:
    """Make a database of the first version, with a turn that was left open."""
    db = sqlite3.connect(file, isolation_level=None)
    migrate(db, str(file), upto=1)
    db.execute("INSERT INTO session VALUES ('ses_1', NULL, '/d', 't', 5, ?)", (SESSION,))
    for message, role, json in (
        ("msg_1", "user", b'{"time":{"created":1}}'),
        ("msg_2", "assistant", b'{"time":{"created":2,"completed":3}}'),
        ("msg_3", "assistant", b'{"time":{"created":4}}'),
    ):
        db.execute(
            "INSERT INTO message (id, session, parent, role, created, json) "
            "VALUES (?, 'ses_1', NULL, ?, 1, ?)",
            (message, role, json),
        )
    db.close()


SESSION = (
    b'{"id":"ses_1","slug":"a-b","projectID":"global","directory":"/d","title":"t",'
    b'"version":"0","time":{"created":1,"updated":5}}'
)


def test_an_older_database_is_migrated_with_all_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "weir.db"
    older(file)
    database = Database(file)
    try:
        assert database.call(sessions.get, "ses_1").title == "t"
        found = database.call(messages.newest, "ses_1", 100)
        assert len(found) == 3
        opened = database.call(lambda db: db.execute("SELECT id FROM message WHERE open"))
        version = database.call(lambda db: db.execute("PRAGMA user_version").fetchone()[0])
        assert database.call(lambda _: opened.fetchall()) == [("msg_3",)]
        assert version == len(MIGRATIONS)
        ended = "SELECT ended FROM message ORDER BY id"
        times = database.call(lambda db: db.execute(ended).fetchall())
        assert times == [(1,), (3,), (1,)]
        assert [one.id for one in database.call(sessions.delete, "ses_1", 5)] == ["ses_1"]
    finally:
        database.close()


def test_a_newer_database_is_refused_with_both_versions(tmp_path: Path) -> None:
    file = tmp_path / "weir.db"
    db = sqlite3.connect(file)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 7}")
    db.close()
    with pytest.raises(NewerDatabase) as refused:
        Database(file)
    for words in (str(file), str(len(MIGRATIONS) + 7), f"up to {len(MIGRATIONS)}"):
        assert words in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "weir.db"
    file.write_text("something else entirely, and longer than a header of SQLite would be" * 20)
    with pytest.raises(DatabaseUnusable, match="not a database"):
        Database(file)


def test_a_database_that_cannot_be_recovered_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "weir.db"
    Database(file).close()
    db = sqlite3.connect(file)
    db.execute("DROP TABLE part")
    db.execute(
        "INSERT INTO session (id, directory, title, updated, json) "
        "VALUES ('ses_1', '/d', 't', 5, ?)",
        (SESSION,),
    )
    db.execute(
        "INSERT INTO message (id, session, role, created, json) "
        "VALUES ('msg_1', 'ses_1', 'user', 5, '{}')"
    )
    db.commit()
    db.close()
    with ExitStack() as stack, pytest.raises(DatabaseUnusable, match="no such table: part"):
        Native(ProcessorSettings(Endpoints.parse("ipc:///bus"), tmp_path), stack)


def test_a_migration_that_fails_leaves_the_version_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = sqlite3.connect(tmp_path / "weir.db", isolation_level=None)
    migrate(db, "x")
    broken = [*MIGRATIONS, ("CREATE TABLE extra (a)", "no SQL at all")]
    monkeypatch.setattr("processor.store.schema.MIGRATIONS", broken)
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, "x", upto=len(broken))
    db.rollback()
    assert db.execute("PRAGMA user_version").fetchone()[0] == len(broken) - 1
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone()[0] == 0


def test_the_source_of_a_database_stays(rig: Rig, tmp_path: Path) -> None:
    name = rig.database.call(sessions.source)
    rig.database.close()
    again = Database(tmp_path / "weir.db")
    assert again.call(sessions.source) == name
    rig.database = again
