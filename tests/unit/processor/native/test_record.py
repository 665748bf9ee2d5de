"""What is told of an entity is saved: with a store that stands still, fails, or is late."""

import contextlib
import itertools
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import gevent
import msgspec
import pytest

from bus.events.message import Failure
from bus.events.part import TokenCounts
from processor.engines.demo import DemoEngine
from processor.engines.engine import EngineRequest, Text
from processor.native.generated import Generated
from processor.store import messages
from tests import recorded
from tests.processes import DEADLINE_S
from tests.reference import fold
from tests.unit.processor.native.shapes import shapes
from tests.unit.processor.rig import Rig


@contextlib.contextmanager
def held(rig: Rig) -> Iterator[None]:
    """Have the store stand still for the time of a ``with`` block."""
    began, released = threading.Event(), threading.Event()

    def stand_still(_: sqlite3.Connection) -> None:
        began.set()
        assert released.wait(DEADLINE_S)

    rig.database.submit(stand_still)
    with gevent.Timeout(DEADLINE_S):
        while not began.is_set():
            gevent.sleep(0.001)
    try:
        yield
    finally:
        released.set()


def types(rig: Rig, after: int) -> list[str]:
    """What was told since, once all that can be done without the store has been done."""
    for _ in range(5):
        gevent.sleep(0)
    return [event["type"] for event in rig.events[after:]]


def test_an_entity_is_not_told_before_it_is_saved(rig: Rig) -> None:
    turn, before = rig.turn("x"), len(rig.events)
    with held(rig):
        turn.begin()
        turn.text("one ")
        assert types(rig, before) == ["session.status"]
    turn.wait_until_published()
    assert types(rig, before) == [
        "session.status",
        "message.updated",
        "message.part.updated",
        "message.part.updated",
        "message.part.delta",
    ]


def test_text_goes_on_at_once_in_a_part_that_is_saved(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("one ")
    turn.wait_until_published()
    before = len(rig.events)
    with held(rig):
        turn.text("two ")
        assert types(rig, before) == ["message.part.delta"]


def test_a_turn_on_a_late_store_has_the_order_of_the_recorded_ones(rig: Rig) -> None:
    turn = rig.turn("reason 10 then text 10")
    with held(rig):
        turn.begin()
        turn.reasoning("thought 0. ", "thought 1. ")
        turn.text("word0 ")
        turn.text("word1 ")
        end = gevent.spawn(turn.finish, "stop", TokenCounts.none())
        gevent.sleep(0)
    end.get(timeout=DEADLINE_S)
    assert shapes(rig.events) == shapes(recorded.events("reason"))


def test_the_end_of_a_turn_is_not_told_before_it_is_saved(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("so far")
    turn.wait_until_published()
    before = len(rig.events)
    with held(rig):
        end = gevent.spawn(turn.abort)
        assert types(rig, before) == []
    end.get(timeout=DEADLINE_S)
    assert types(rig, before)[0] == "session.error"


def test_a_part_that_cannot_be_saved_is_not_told_until_it_can(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.reasoning("thought")
    turn.wait_until_published()
    put_part, before = messages.put_part, len(rig.events)
    failing(monkeypatch, "put_part")
    turn.text("one ", "two ")
    turn.wait_until_published()
    assert types(rig, before) == []
    monkeypatch.setattr(messages, "put_part", put_part)
    turn.finish("stop", TokenCounts.none())
    parts = [e["properties"]["part"] for e in rig.events if e["type"] == "message.part.updated"]
    assert [part["text"] for part in parts if part["type"] == "text"][-1] == "one two "


def test_an_answer_that_was_never_saved_is_never_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, before = rig.turn("x"), len(rig.events)
    failing(monkeypatch, "put")
    turn.begin()
    turn.text("one ")
    turn.abort()
    assert set(types(rig, before)) == {"session.status", "session.error", "session.idle"}


@pytest.mark.parametrize("end", ["finish", "abort"])
def test_what_cannot_be_saved_is_taken_back(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("saved, ")
    rig.drafts.flush()
    failing(monkeypatch, "put_part")
    turn.text("and told")
    turn.wait_until_published()
    turn.abort() if end == "abort" else turn.finish("stop", TokenCounts.none())
    told = fold(rig.events)
    [session] = told.messages
    page = rig.messages(session)
    stored = msgspec.json.decode(msgspec.json.encode(page))
    assert told.messages_of(session) == stored
    assert stored[-1]["parts"][-1]["text"] == "saved, "
    assert {"session.error", "session.idle"} <= set(types(rig, 0))


def test_a_model_is_held_back_while_the_store_stands_still(rig: Rig) -> None:
    with contextlib.ExitStack() as stack:
        engine = Counting(lambda: stack.enter_context(held(rig)))
        turn = rig.turn("x")
        session = rig.events[0]["properties"]["sessionID"]
        answer = Generated(turn, rig.prompt(session, "y"), engine, rig.database, rig.room)
        with gevent.Timeout(DEADLINE_S):
            while not engine.taken:
                gevent.sleep(0.001)
        types(rig, 0)
        assert engine.taken == 1
    answer.abort()
    answer.conclude()


def test_what_waits_for_nothing_keeps_its_place_in_the_order(rig: Rig) -> None:
    turn = rig.turn("x")
    record, before = turn.record, len(rig.events)
    with held(rig):
        record.message(turn._answer)
        record.idle()
        assert types(rig, before) == []
    record.wait_until_published()
    record.error(Failure("UnknownError"))
    assert types(rig, before) == [
        "message.updated",
        "session.status",
        "session.idle",
        "session.error",
    ]


class Counting:
    """A model that never ends; the store stops when it has been asked."""

    def __init__(self, stop: Any) -> None:
        self.taken = 0
        self._stop = stop

    def stream(self, request: EngineRequest) -> Iterator[Any]:
        self._stop()
        for self.taken in itertools.count(1):
            yield [Text(f"{self.taken} ")]

    offer: Any = DemoEngine.offer


def failing(monkeypatch: pytest.MonkeyPatch, put: str) -> None:
    """Have all writes of one kind fail."""

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(messages, put, full)
