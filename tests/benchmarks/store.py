"""What a large store costs: to open it, to list and search it, and to delete from it.

``python -m tests.benchmarks.store`` makes a store of 10,000 sessions and 1,000,000 parts, and one
session of a gigabyte, in a temporary folder (about 3 GB), and prints a table.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import msgspec

from bus.events.part import TokenCounts
from bus.events.session import Session, SessionTime
from processor.clock import now_ms
from processor.native.chores import Chores
from processor.native.turn import aborted
from processor.store import pieces, recovery, search, sessions
from processor.store.database import Database
from processor.store.schema import MIGRATIONS, migrate

DIRECTORY = "/srv/demo/large"
WORDS = [f"word{number}" for number in range(5000)]
PAGE = 100
MINUTE_MS = 60_000
ROUNDS = 20


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--parts", type=int, default=1_000_000)
    parser.add_argument("--deleted-mib", type=int, default=1024)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="weir-store-"))
    try:
        for line in _figures(folder / "weir.db", given):
            print(line, flush=True)
    finally:
        shutil.rmtree(folder)


def _figures(file: Path, given: argparse.Namespace) -> Iterator[str]:
    yield f"load average {os.getloadavg()[0]:.1f}"
    made_s, _ = _timed(lambda: _make(file, given.sessions, given.parts))
    yield f"made in {made_s:.0f} s: {_mib(file):.0f} MiB"
    opened_s, database = _timed(lambda: _opened(file))
    yield f"opens in {opened_s * 1000:.0f} ms"
    listed = ("directory", DIRECTORY), ("all directories", None)
    for name, directory in listed:
        yield f"lists {PAGE} sessions ({name}): {_page(database, directory)}"
    name = database.call(sessions.page, DIRECTORY, None, False, None, 1)[0][0][1].id
    yield f"lists {PAGE} messages: {_rounds(lambda: _messages(database, name))}"
    for words in (["word7"], ["word7", "word8", "word9"]):
        query = ", ".join(words)
        yield f"searches {query}: {_rounds(lambda words=words: _search(database, words))}"
    yield from _deletion(file, database, given.deleted_mib)
    database.close()


def _deletion(file: Path, database: Database, mib: int) -> Iterator[str]:
    session = database.call(_large, mib)
    database.truncate_journal()
    before = _mib(file)
    delete_s, _ = _timed(lambda: database.call(sessions.delete, session, now_ms()))
    yield f"deletes a session of {mib} MiB in {delete_s * 1000:.0f} ms (the call)"
    greenlet = gevent.spawn(Chores(database).run)
    slowest_s, began = 0.0, time.monotonic()
    while database.call(_is_there, session) or database.call(_free) > 1000:
        took_s, _ = _timed(lambda: database.call(sessions.listing, DIRECTORY, True, None, None, 1))
        slowest_s = max(slowest_s, took_s)
        gevent.sleep(0.02)
    greenlet.kill()
    database.truncate_journal()
    yield (
        f"gives the disk back within {time.monotonic() - began:.0f} s: {before:.0f} MiB before, "
        f"{_mib(file):.0f} MiB after; another job waited {slowest_s * 1000:.0f} ms at most"
    )


def _opened(file: Path) -> Database:
    database = Database(file)
    database.call(recovery.recover, aborted(), now_ms())
    database.call(sessions.made)
    return database


def _page(database: Database, directory: str | None) -> str:
    def read() -> None:
        rows = database.call(sessions.listing, directory, True, None, None, PAGE)
        database.call(sessions.some, rows, 1024 * 1024)

    return _rounds(read)


def _messages(database: Database, session: str) -> None:
    database.call(pieces.of_session, session, PAGE, None, 1024 * 1024)


def _search(database: Database, words: list[str]) -> None:
    database.call(search.find, words, None, None, None, 20)


def _is_there(db: sqlite3.Connection, session: str) -> bool:
    return bool(db.execute("SELECT 1 FROM session WHERE id = ?", (session,)).fetchone())


def _free(db: sqlite3.Connection) -> int:
    free: int = db.execute("PRAGMA freelist_count").fetchone()[0]
    return free


def _make(file: Path, count: int, parts: int) -> None:
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = OFF")
    migrate(db, str(file), len(MIGRATIONS))
    chance = random.Random(7)
    each = parts // count
    for number in range(count):
        db.execute("BEGIN")
        name = f"ses_{number:08}"
        where = DIRECTORY if number % 10 == 0 else f"/srv/demo/{number % 100}"
        sessions.insert(db, _session(name, where, (number + 1) * MINUTE_MS))
        for message in range(each // 4):
            _message(db, name, f"{number:08}{message:06}", message, chance)
        db.execute("COMMIT")
    db.close()


def _session(name: str, directory: str, time_ms: int) -> Session:
    return Session(
        id=name,
        slug="slug",
        projectID="global",
        directory=directory,
        title=f"Session {name}",
        version="0",
        time=SessionTime(time_ms, time_ms),
        cost=0,
        tokens=TokenCounts.none(),
    )


def _message(
    db: sqlite3.Connection, session: str, number: str, at: int, chance: random.Random
) -> None:
    message = f"msg_{number}"
    role = "assistant" if at % 2 else "user"
    info = {"id": message, "sessionID": session, "role": role, "time": {"created": at}}
    db.execute(
        "INSERT INTO message (id, session, role, created, ended, json) VALUES (?,?,?,?,?,?)",
        (message, session, role, at, at, msgspec.json.encode(info)),
    )
    for place in range(4):
        kind = "text" if place % 2 else "step-start"
        text = " ".join(chance.choices(WORDS, k=30))
        _part(db, f"prt_{number}{place}", message, kind, text)


def _part(db: sqlite3.Connection, name: str, message: str, kind: str, text: str) -> None:
    part = {"id": name, "messageID": message, "type": kind, "text": text}
    db.execute(
        "INSERT INTO part VALUES (?, ?, ?, ?)", (name, message, kind, msgspec.json.encode(part))
    )


def _large(db: sqlite3.Connection, mib: int) -> str:
    """Make a session of that size: outputs of tools, and a tenth of it texts."""
    sessions.insert(db, _session("ses_large", DIRECTORY, now_ms()))
    chance = random.Random(8)
    for number in range(mib * 8):
        message = f"msg_large{number:08}"
        db.execute(
            "INSERT INTO message (id, session, role, created, json) "
            "VALUES (?, ?, 'user', ?, '{}')",
            (message, "ses_large", number),
        )
        text = " ".join(chance.choices(WORDS, k=2000))
        _part(db, f"prt_large{number:08}t", message, "text", text)
        _part(db, f"prt_large{number:08}u", message, "tool", text * 8)
    return "ses_large"


def _timed(job: Callable[[], object]) -> tuple[float, object]:
    began = time.monotonic()
    value = job()
    return time.monotonic() - began, value


def _rounds(job: Callable[[], object]) -> str:
    took = sorted(_timed(job)[0] * 1000 for _ in range(ROUNDS))
    return f"median {statistics.median(took):.1f} ms, slowest {took[-1]:.1f} ms"


def _mib(file: Path) -> float:
    return file.stat().st_size / (1024 * 1024)


if __name__ == "__main__":
    main()
