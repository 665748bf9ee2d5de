"""The search over messages: what is found, when, and what is not found any more."""

import os
import sqlite3
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.bodies import CreateBody, PromptBody, RevertBody, TextInput
from processor.commands.edits import EditCommands
from processor.store import search, sessions, upkeep
from processor.store.database import Database
from processor.store.failures import StoreFailed
from processor.store.schema import MIGRATIONS, migrate
from tests.unit.processor.rig import DIRECTORY, Rig


def said(rig, text, directory=DIRECTORY, session=None):
    session = session or rig.sessions.create(directory, CreateBody(title="a title")).id
    rig.prompts.accept(session, PromptBody(parts=[TextInput(text=text)], noReply=True))
    return session


def found(rig, *words, session=None, directory=None, before=None, limit=20):
    return rig.database.call(search.find, words, session, directory, before, limit)


def snippets(rig, *words, **how):
    return [one.snippet for one in found(rig, *words, **how).found]


def check(db: sqlite3.Connection) -> None:
    """Have FTS5 compare its index with the parts; it raises if they differ."""
    db.execute("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")


def test_all_words_must_be_there_and_the_last_may_be_a_beginning(rig: Rig) -> None:
    said(rig, "the quick brown fox")
    said(rig, "the lazy dog, Öl und Übel")
    assert snippets(rig, "the", "qui") == ["the quick brown fox"]
    assert snippets(rig, "quick", "dog") == []
    assert snippets(rig, "ubel") == ["the lazy dog, Öl und Übel"]
    assert len(snippets(rig, "the")) == 2


def test_a_find_says_where_it_is(rig: Rig) -> None:
    session = said(rig, "needle", "/srv/a")
    said(rig, "needle", "/srv/b")
    (one,) = found(rig, "needle", directory="/srv/a").found
    assert (one.sessionID, one.directory, one.title, one.role) == (
        session,
        "/srv/a",
        "a title",
        "user",
    )
    assert [f.sessionID for f in found(rig, "needle", session=session).found] == [session]


def test_pages_give_each_find_once_the_last_stored_first(rig: Rig) -> None:
    for number in range(7):
        said(rig, f"needle {number}")
    pages, before = [], None
    while True:
        page = found(rig, "needle", before=before, limit=3)
        pages.append([one.snippet for one in page.found])
        if page.next is None:
            break
        before = int(page.next)
    assert pages == [[f"needle {n}" for n in group] for group in ((6, 5, 4), (3, 2, 1), (0,))]


def test_an_answer_is_found_once_it_is_complete(rig: Rig) -> None:
    turn = rig.turn("ask")
    turn.begin()
    turn.text("the ")
    turn.text("haystack")
    assert snippets(rig, "haystack") == []
    turn.finish("stop", turn._answer.tokens)
    assert snippets(rig, "haystack") == ["the haystack"]
    rig.database.call(check)


def test_what_is_removed_is_not_found(rig: Rig) -> None:
    session = said(rig, "needle")
    rig.sessions.delete(session)
    assert snippets(rig, "needle") == []
    rig.database.call(check)


def test_a_large_session_is_not_found_from_its_removal_on(rig: Rig, monkeypatch) -> None:
    monkeypatch.setattr(sessions, "SMALL_PARTS", 2)
    monkeypatch.setattr(upkeep, "SMALL_PARTS", 2)
    session = said(rig, "needle 0")
    for number in range(5):
        said(rig, f"needle {number}", session=session)
    rig.sessions.delete(session)
    assert snippets(rig, "needle") == []
    slices = 0
    while rig.database.call(upkeep.purge):
        slices += 1
    assert slices == 4
    for table in ("session", "message", "part"):
        query = f"SELECT count(*) FROM {table}"
        assert rig.database.call(lambda db, q: db.execute(q).fetchone(), query) == (0,)
    rig.database.call(check)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=3))
def test_no_query_is_an_error(words: list[str]) -> None:
    db = sqlite3.connect(":memory:")
    migrate(db, ":memory:")
    words = [w.replace("\0", "") + "a" for w in words]
    assert search.find(db, words, None, None, None, 5).found == []
    db.close()


def old_database(file, parts):
    """Make a database as the last weir without a search has left it."""
    db = sqlite3.connect(file, isolation_level=None)
    searched = (any("TABLE search" in words for words in one) for one in MIGRATIONS)
    migrate(db, str(file), upto=list(searched).index(True))
    db.execute(
        "INSERT INTO session (id, directory, title, updated, json) "
        "VALUES ('ses_1', '/d', 't', 1, '{}')"
    )
    db.execute(
        "INSERT INTO message (id, session, role, created, json) "
        "VALUES ('msg_1', 'ses_1', 'user', 1, '{}')"
    )
    for number in range(parts):
        json = f'{{"id":"prt_{number}","type":"text","text":"needle {number}"}}'
        db.execute(
            "INSERT INTO part VALUES (?, 'msg_1', 'text', ?)", (f"prt_{number:04}", json.encode())
        )
    db.close()


def test_an_old_database_becomes_searchable_in_slices(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(upkeep, "_INDEX_PARTS", 4)
    old_database(tmp_path / "weir.db", 10)
    database = Database(tmp_path / "weir.db")

    def count():
        page = database.call(search.find, ["needle"], None, None, None, 50)
        return len(page.found), page.complete

    assert count() == (0, False)
    # Parts that change or go before their turn are neither missed nor found twice.
    database.call(lambda db: db.execute("DELETE FROM part WHERE id = 'prt_0009'"))
    database.call(lambda db: db.execute("UPDATE part SET json = json WHERE id = 'prt_0005'"))
    database.call(upkeep.index)
    assert count() == (4, False)
    database.call(lambda db: db.execute("DELETE FROM part WHERE id = 'prt_0001'"))
    while database.call(upkeep.index):
        pass
    assert count() == (8, True)
    database.call(check)
    database.close()


def test_disk_space_goes_back(rig: Rig, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sessions, "SMALL_BYTES", 1000)
    text = string.ascii_letters * 2000
    session = said(rig, text)
    for _ in range(30):
        said(rig, text, session=session)
    rig.database.truncate_journal()
    file = tmp_path / "weir.db"
    before = file.stat().st_size
    assert before > 3_000_000
    rig.sessions.delete(session)
    for job in (upkeep.purge, upkeep.begin_merge, upkeep.merge, upkeep.shrink):
        while rig.database.call(job):
            pass
    rig.database.truncate_journal()
    assert file.stat().st_size < before / 5


def test_what_is_undone_is_not_found_until_it_is_shown_again(rig: Rig) -> None:
    session = said(rig, "needle one")
    said(rig, "needle two", session=session)
    said(rig, "needle three", session=session)
    second = found(rig, "two").found[0]
    edits = EditCommands(rig.services, rig.turns)
    edits.revert(session, RevertBody(messageID=second.messageID))
    assert snippets(rig, "needle") == ["needle one"]
    edits.revert(session, None)
    assert snippets(rig, "needle") == ["needle three", "needle two", "needle one"]


def test_a_search_waits_for_no_job(rig: Rig) -> None:
    said(rig, "needle")
    stop, end = os.pipe()
    written = rig.database.submit(lambda db: os.read(stop, 1))
    try:
        assert len(rig.database.read(search.find, ["needle"], None, None, None, 5).found) == 1
        assert not written.ready()
    finally:
        os.write(end, b"x")
    assert written.get() == b"x"
    os.close(stop)
    os.close(end)


def test_a_search_cannot_write(rig: Rig) -> None:
    with pytest.raises(StoreFailed, match="readonly"):
        rig.database.read(lambda db: db.execute("DELETE FROM session"))
