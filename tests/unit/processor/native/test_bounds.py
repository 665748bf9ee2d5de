"""The bounds of a processor: what is past them waits, or is refused with the name of the bound."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from bus.answers import CommandFailed
from bus.bodies import CreateBody, PatchBody, PromptBody, TextInput
from processor.engines.engine import Chunk, EngineRequest, Finish, Offer, Text
from processor.native.bounds import Bounds
from processor.native.room import MemoryRoom
from processor.native.turns import MOST_WAITING
from tests.processes import DEADLINE_S
from tests.unit.processor.rig import DIRECTORY, Rig

MIB = 1024 * 1024


class Patient:
    """A model that says a text and waits until it is let go."""

    offer = Offer("demo", "Demo", "demo", "")

    def __init__(self, text: str = "word") -> None:
        self.asked = 0
        self.go = Event()
        self._text = text

    def stream(self, request: EngineRequest) -> Iterator[list[Chunk]]:
        self.asked += 1
        yield [Text(self._text)]
        self.go.wait()
        yield [Finish("stop")]


@pytest.fixture
def bounded(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def make(engine: Any, **bounds: int) -> Rig:
        rig = Rig(tmp_path, Bounds(**bounds))
        rig.engine = engine
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        rig.turns.abort_all(5)
        rig.close()


def session(rig: Rig) -> str:
    return rig.sessions.create(DIRECTORY, CreateBody(title="t")).id


def prompt(rig: Rig, where: str, text: str = "x") -> str:
    return rig.prompts.accept(where, PromptBody(parts=[TextInput(text=text)]))


def until(condition: Callable[[], Any]) -> None:
    with gevent.Timeout(DEADLINE_S):
        while not condition():
            gevent.sleep(0.002)


@contextmanager
def refused(kind: str, bound: str) -> Iterator[None]:
    with pytest.raises(CommandFailed) as failed:
        yield
    assert (failed.value.kind, failed.value.bound) == (kind, bound)


def errors(rig: Rig) -> list[dict[str, Any]]:
    return [e["properties"]["error"] for e in rig.events if e["type"] == "session.error"]


def test_turns_past_the_bound_wait_and_run_later(bounded: Callable[..., Rig]) -> None:
    engine = Patient()
    rig = bounded(engine, turns=2)
    prompts = [(one, prompt(rig, one)) for one in [session(rig) for _ in range(5)]]
    until(lambda: engine.asked == 2)
    gevent.sleep(0.05)
    assert engine.asked == 2
    engine.go.set()
    for one in prompts:
        assert rig.turns.wait(*one, 10)
    assert engine.asked == 5


def test_a_turn_that_waits_can_be_aborted(bounded: Callable[..., Rig]) -> None:
    engine = Patient()
    rig = bounded(engine, turns=1)
    first, second = session(rig), session(rig)
    prompt(rig, first)
    until(lambda: engine.asked == 1)
    waits = prompt(rig, second)
    rig.turns.abort([second], 5)
    assert rig.turns.wait(second, waits, 5)
    engine.go.set()
    until(lambda: not rig.turns._lanes)
    assert engine.asked == 1


def test_prompts_past_the_bound_are_refused_until_one_has_run(bounded: Callable[..., Rig]) -> None:
    engine = Patient()
    rig = bounded(engine, turns=1, prompts=3)
    sessions = [session(rig) for _ in range(5)]
    prompt(rig, sessions[0])
    until(lambda: engine.asked == 1)
    for one in sessions[1:4]:
        prompt(rig, one)
    with refused("full", "--max-prompts"):
        prompt(rig, sessions[4])
    rig.turns.abort([sessions[1]], 5)
    prompt(rig, sessions[4])


def test_many_prompts_at_once_do_not_pass_the_bound(bounded: Callable[..., Rig]) -> None:
    engine = Patient()
    rig = bounded(engine, turns=1, prompts=3)
    first = session(rig)
    prompt(rig, first)
    until(lambda: engine.asked == 1)
    where = [session(rig) for _ in range(20)]
    made = [gevent.spawn(prompt, rig, one) for one in where]
    gevent.joinall(made, timeout=DEADLINE_S)
    assert sum(one.successful() for one in made) == 3
    assert rig.turns.waiting == 3


def test_prompts_of_one_session_are_bounded_too(bounded: Callable[..., Rig]) -> None:
    engine = Patient()
    rig = bounded(engine)
    one = session(rig)
    prompt(rig, one)
    until(lambda: engine.asked == 1)
    for _ in range(MOST_WAITING):
        prompt(rig, one)
    with refused("full", "prompts of a session"):
        prompt(rig, one)
    rig.prompts.accept(one, PromptBody(parts=[TextInput(text="no reply")], noReply=True))


def test_a_conversation_that_is_too_long_for_memory_ends_its_turn(
    bounded: Callable[..., Rig],
) -> None:
    engine = Patient()
    engine.go.set()
    rig = bounded(engine, turn_memory=10_000)
    one = session(rig)
    assert rig.turns.wait(one, prompt(rig, one, "x" * 8000), 10)
    assert errors(rig) == []
    assert rig.turns.wait(one, prompt(rig, one, "x" * 8000), 10)
    [error] = errors(rig)
    assert error["name"] == "ContextOverflowError"
    assert "--turn-memory allows 10000" in error["data"]["message"]


def test_a_long_answer_ends_when_all_turns_hold_too_much(bounded: Callable[..., Rig]) -> None:
    engine = Patient("x" * (2 * MIB))
    rig = bounded(engine, turn_memory=3 * MIB)
    first, second = session(rig), session(rig)
    prompt(rig, first)
    until(lambda: engine.asked == 1)
    assert rig.turns.wait(second, prompt(rig, second), 10)
    [error] = errors(rig)
    assert error["name"] == "APIError"
    assert "--turn-memory" in error["data"]["message"]
    engine.go.set()
    until(lambda: not rig.turns._lanes)
    assert rig.room.used == 0


def test_who_needs_room_waits_in_a_row() -> None:
    room, entered = MemoryRoom(10), list[str]()

    def need(name: str, count: int, until_then: Event) -> None:
        with room.of(count):
            entered.append(name)
            until_then.wait()

    over = {name: Event() for name in "abcd"}
    made = {
        name: gevent.spawn(need, name, count, over[name])
        for name, count in [("a", 6), ("b", 6), ("c", 4), ("d", 4)]
    }
    until(lambda: entered == ["a"])
    gevent.sleep(0.01)
    assert entered == ["a"], "c would fit, but b came earlier"
    over["a"].set()
    until(lambda: entered == ["a", "b", "c"])
    made["d"].kill()
    over["b"].set()
    over["c"].set()
    gevent.joinall(list(made.values()), timeout=DEADLINE_S)
    assert room.used == 0


def test_a_store_that_is_past_its_quota_refuses_until_sessions_are_removed(
    bounded: Callable[..., Rig],
) -> None:
    rig = bounded(Patient(), state_quota=MIB)
    one = session(rig)
    body = PromptBody(parts=[TextInput(text="x" * 540_000)], noReply=True)
    rig.prompts.accept(one, body)
    assert rig.database.trouble is None
    rig.prompts.accept(one, body)
    with refused("no_room", "--state-quota"):
        rig.prompts.accept(one, body)
    with refused("no_room", "--state-quota"):
        rig.sessions.create(DIRECTORY, CreateBody())
    with refused("no_room", "--state-quota"):
        rig.sessions.patch(one, PatchBody(title="x"))
    assert "--state-quota allows; delete sessions" in str(rig.database.trouble)
    rig.sessions.delete(one)
    assert rig.database.trouble is None
    rig.prompts.accept(session(rig), body)


def test_no_turn_takes_much_more_than_the_quota(bounded: Callable[..., Rig]) -> None:
    rig = bounded(Patient("x" * (2 * MIB)), state_quota=MIB)
    one = session(rig)
    rig.engine.go.set()  # type: ignore[attr-defined]
    assert rig.turns.wait(one, prompt(rig, one), 10)
    assert json.dumps(errors(rig)).count("database or disk is full") == 1


def test_a_prompt_that_is_not_answered_is_reported(bounded: Callable[..., Rig]) -> None:
    engine = Patient()
    rig = bounded(engine, turns=1)
    dropped: list[str] = []
    rig.turns.dropped = dropped.append
    first, second = session(rig), session(rig)
    prompt(rig, first)
    until(lambda: engine.asked == 1)
    waiting = [prompt(rig, second), prompt(rig, first)]
    rig.turns.abort([first, second], DEADLINE_S)
    assert sorted(dropped) == sorted(waiting)
