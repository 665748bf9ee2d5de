"""Two things at once to an agent: an abort during a commit, and a process that takes over."""

import sqlite3
import threading
from typing import Any
from unittest import mock

import gevent
import pytest

from bus import agent_lines as wire
from bus.answers import CommandFailed
from bus.bodies import CreateBody
from processor.store import transaction
from tests.processes import DEADLINE_S
from tests.unit.processor.agents.author import Author, until, words
from tests.unit.processor.rig import DIRECTORY, Rig


@pytest.fixture
def author(rig: Rig) -> Author:
    return Author(rig)


def refused(author: Author, *lines: Any, **how: Any) -> str:
    """Return why lines are refused, ``""`` if they are not."""
    try:
        author.send(*lines, **how)
    except CommandFailed as error:
        return str(error)
    return ""


def test_an_abort_while_a_commit_fails_ends_the_turn(rig: Rig, author: Author) -> None:
    epoch = author.send(author.begin("t"), words("t", "one ")).epoch
    carry_out, commits = transaction._carry_out, 0

    def locked_at_first(*args: Any, **how: Any) -> Any:
        nonlocal commits
        commits += 1
        if commits == 1:
            raise sqlite3.OperationalError("database is locked")
        return carry_out(*args, **how)

    with mock.patch.object(transaction, "_carry_out", locked_at_first):
        sent = gevent.spawn(refused, author, words("t", "two"), epoch=epoch, seq=3)
        gevent.sleep(0)  # the lines are in their commit
        rig.turns.abort([author.session], 0)
        assert "database is locked" in sent.get(timeout=DEADLINE_S)
        until(lambda: author.session not in rig.turns._lanes)
    info, parts = author.answer()
    assert info["error"]["name"] == "MessageAbortedError"
    assert [part["text"] for part in parts if part["type"] == "text"] == ["one two"]
    assert rig.events[-1]["type"] == "session.idle"


@pytest.mark.parametrize("old", ["waits", wire.EndLine(turn="t"), "begin"])
def test_lines_of_a_process_that_is_taken_over_do_not_count(
    rig: Rig, author: Author, old: Any
) -> None:
    other = rig.sessions.create(DIRECTORY, CreateBody(title="other")).id
    epoch = author.send(author.begin("t")).epoch
    late, seq = [words("t", "late"), old], 2
    if old == "begin":
        late[1] = wire.BeginLine(turn="w", session=other, prompt="late")
    elif old == "waits":
        author.send(author.begin("u"), epoch=epoch, seq=2)
        late, seq = [words("u", "late")], 3
    next_one, go_on = Author(rig), threading.Event()
    if old != "waits":
        rig.database.submit(lambda _: go_on.wait(DEADLINE_S))  # a slow disk
    sent = gevent.spawn(refused, author, *late, epoch=epoch, seq=seq)
    gevent.sleep(0.02)
    taken = gevent.spawn(
        next_one.send,
        wire.BeginLine(turn="v", session=next_one.session, prompt="do it"),
        words("v", "hello"),
        wire.EndLine(turn="v"),
        epoch=epoch + 1,
        seq=1,
    )
    gevent.sleep(0)
    go_on.set()
    assert "fenced" in sent.get(timeout=DEADLINE_S)
    assert (taken.get(timeout=DEADLINE_S).seq, taken.get().errors) == (3, [])
    assert next_one.answer()[1][1]["text"] == "hello"
    assert not rig.messages(other)
