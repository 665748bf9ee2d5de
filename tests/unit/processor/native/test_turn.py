"""A turn of ours has the events of the recorded ones, in their order."""

import sqlite3
from typing import Any

import msgspec
import pytest

from bus.events.message import Failure
from bus.events.part import CacheTokens, TokenCounts
from processor.store import messages
from tests import recorded
from tests.unit.processor.native.shapes import shape, shapes
from tests.unit.processor.rig import Rig

TOKENS = TokenCounts(input=11, output=20, reasoning=0, cache=CacheTokens(), total=31)


def test_a_good_turn_is_told_as_opencode_tells_it(rig: Rig) -> None:
    turn = rig.turn("reason 10 then text 10")
    turn.begin()
    turn.reasoning("thought 0. ", "thought 1. ")
    turn.text("word0 ")
    turn.text("word1 ")
    turn.finish("stop", TOKENS)
    assert shapes(rig.events) == shapes(recorded.events("reason"))


def test_an_aborted_turn_is_told_as_opencode_tells_it(rig: Rig) -> None:
    turn = rig.turn("rate 50 500")
    turn.begin()
    turn.text("0000000 ")
    turn.abort()
    assert shapes(rig.events) == shapes(recorded.events("abort"))


def test_a_refused_turn_is_told_as_opencode_tells_it(rig: Rig) -> None:
    turn = rig.turn("error 400 bad request by script")
    turn.begin()
    turn.fail(Failure("APIError", {"message": "bad request by script", "isRetryable": False}))
    assert shapes(rig.events) == shapes(recorded.events("error400"))


def test_the_closing_part_has_the_text_of_all_deltas(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("one ", "two ")
    turn.text("three")
    turn.finish("stop", TOKENS)
    deltas = [e["properties"]["delta"] for e in rig.events if e["type"] == "message.part.delta"]
    assert deltas == ["one ", "two ", "three"]
    last = [e for e in rig.events if shape(e) == "message.part.updated text ended"][-1]
    assert last["properties"]["part"]["text"] == "one two three"


def test_what_the_store_has_equals_what_the_events_said(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("one ")
    turn.finish("length", TOKENS)
    user, answer = stored(rig)
    infos = [e["properties"]["info"] for e in rig.events if e["type"] == "message.updated"]
    assert user["info"] == infos[0]
    assert answer["info"] == infos[-1]
    assert answer["info"]["finish"] == "length"
    parts = {
        e["properties"]["part"]["id"]: e["properties"]["part"]
        for e in rig.events
        if e["type"] == "message.part.updated"
    }
    assert [*user["parts"], *answer["parts"]] == list(parts.values())


def test_the_store_knows_the_end_when_an_abort_is_first_heard_of(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("so far")
    seen: list[Any] = []
    rig.services.publisher.publish = lambda event, *_: seen.append(  # type: ignore
        stored(rig) if event.type == "session.idle" else None
    )
    turn.abort()
    answer = next(messages for messages in seen if messages)[-1]
    assert answer["info"]["error"]["name"] == "MessageAbortedError"
    assert answer["parts"][-1]["text"] == "so far"


def test_reasoning_after_text_is_a_part_of_its_own(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("a")
    turn.reasoning("b")
    turn.text("c")
    turn.finish("stop", TOKENS)
    assert [p.get("text") for p in stored(rig)[-1]["parts"]] == [None, "a", "b", "c", None]


def test_busy_is_said_again_when_a_retry_succeeds(rig: Rig) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.retry(1, "slow down", 123)
    turn.text("a")
    turn.finish("stop", TOKENS)
    statuses = [e["properties"]["status"] for e in rig.events if e["type"] == "session.status"]
    assert statuses == [
        {"type": "busy"},
        {"type": "retry", "attempt": 1, "message": "slow down", "next": 123},
        {"type": "busy"},
        {"type": "idle"},
    ]


def test_a_store_that_fails_is_told_before_idle(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = rig.turn("x")
    turn.begin()
    turn.text("a")

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(messages, "put", full)
    turn.finish("stop", TOKENS)
    assert shapes(rig.events)[-3:] == [
        "session.error UnknownError",
        "session.status idle",
        "session.idle",
    ]
    error = next(e for e in rig.events if e["type"] == "session.error")
    assert "disk is full" in error["properties"]["error"]["data"]["message"]


def stored(rig: Rig) -> list[dict[str, Any]]:
    session = rig.events[0]["properties"]["sessionID"]
    found = rig.messages(session)
    return msgspec.json.decode(msgspec.json.encode(found))
