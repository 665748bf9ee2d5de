"""What of a long session a model reads, and the summary that stands for the rest."""

import time

import msgspec
import pytest
from msgspec import UNSET

from bus.bodies import CreateBody, ForkBody, RevertBody
from bus.commands import MessageDelete
from bus.events.message import MessagePath, MessageTime, ModelRef, UserMessage
from bus.events.part import TextPart
from processor.commands.edits import EditCommands
from processor.engines.engine import EngineRequest, Finish, Offer, Text
from processor.native.record import Record
from processor.native.turn import Turn
from processor.store import history, messages, sessions
from processor.store.database import Connection
from processor.tools.tool import Outcome, Tool
from tests.processes import DEADLINE_S
from tests.unit.processor.native.scripted import DONE, Scripted, Turned, calls, tool
from tests.unit.processor.rig import DIRECTORY, Rig

SMALL = Offer("demo", "Demo", "demo", "", context=1000)
"""A context of 1,000 tokens: 3,000 bytes of history."""


class Small(Scripted):
    offer = SMALL


def said_to(request: EngineRequest) -> str:
    return " ".join(str(message.content) for message in request.messages)


def answered(rig: Rig, turn: Turned, text: str) -> None:
    """Send one more prompt in the session of a turn, and wait for the answer."""
    turn.prompt = rig.prompts.accept(turn.session, turn.body(text))
    turn.end()


def test_all_of_a_short_session_is_read(rig: Rig) -> None:
    engine = Small([Text("one"), Finish("stop")])
    turn = Turned(rig, engine)
    turn.end()
    answered(rig, turn, "again")
    assert [m.content for m in engine.asked[1].messages] == ["go", "one", "again"]


def summed_up(rig: Rig) -> tuple[Small, Turned]:
    """Prompt a session three times; the third prompt does not fit, so the session is summed up."""
    engine = Small(
        [Text("a" * 1900), Finish("stop")],
        [Text("b" * 900), Finish("stop")],
        [Text("the summary"), Finish("stop")],
        DONE,
    )
    turn = Turned(rig, engine)
    turn.end()
    answered(rig, turn, "second")
    answered(rig, turn, "third")
    return engine, turn


def test_a_session_that_does_not_fit_is_summed_up(rig: Rig) -> None:
    engine, turn = summed_up(rig)
    summing, third = engine.asked[2:]
    assert "Write a detailed summary" in str(summing.messages[-1].content)
    assert "a" * 1900 in said_to(summing)
    assert "third" not in said_to(summing)
    assert [(m.role, m.content) for m in third.messages] == [
        ("user", "What did we do so far?"),
        ("assistant", "the summary"),
        ("user", "third"),
    ]
    types = turn.types
    assert types.count("session.compacted") == 1
    assert types.count("session.idle") == 3
    stored = msgspec.json.decode(msgspec.json.encode(rig.messages(turn.session)))
    asked, summary, last = stored[-3:]
    assert [part["type"] for part in asked["parts"]] == ["compaction"]
    assert asked["parts"][0]["auto"] is True
    assert (summary["info"]["summary"], summary["info"]["mode"]) == (True, "compaction")
    assert summary["info"]["parentID"] == asked["info"]["id"]
    assert last["info"]["parentID"] == turn.prompt
    answered(rig, turn, "fourth")
    assert said_to(engine.asked[-1]).startswith("What did we do so far? the summary third done")


def test_a_summary_that_fails_costs_only_what_does_not_fit(rig: Rig) -> None:
    engine = Small(
        [Text("a" * 1900), Finish("stop")], [Text("b" * 900), Finish("stop")], [Finish("stop")]
    )
    turn = Turned(rig, engine)
    turn.end()
    answered(rig, turn, "second")
    engine.fails_at = 3
    answered(rig, turn, "third")
    assert [m.content for m in engine.asked[-1].messages] == ["second", "b" * 900, "third"]
    assert turn.types.count("session.error") == 0
    assert turn.types.count("session.compacted") == 0


def test_a_client_has_a_session_summed_up(rig: Rig) -> None:
    engine = Small([Text("one"), Finish("stop")], [Text("the summary"), Finish("stop")], DONE)
    turn = Turned(rig, engine)
    turn.end()
    rig.compactions._engine = engine
    asked = rig.compactions.ask(turn.session)
    assert rig.turns.wait(turn.session, asked, DEADLINE_S)
    assert turn.types[-1] in ("session.compacted", "session.updated", "session.idle")
    assert turn.types.count("session.compacted") == 1
    answered(rig, turn, "again")
    assert [m.content for m in engine.asked[-1].messages] == [
        *("What did we do so far?", "the summary", "again"),
    ]


def test_a_summary_covers_nothing_that_was_undone(rig: Rig) -> None:
    engine = Small(*[[Text(word), Finish("stop")] for word in ("one", "two", "the summary")], DONE)
    turn = Turned(rig, engine)
    turn.end()
    answered(rig, turn, "undone")
    rig.compactions._engine = engine
    edits = EditCommands(rig.services, rig.turns)
    edits.revert(turn.session, RevertBody(messageID=turn.prompt))
    assert rig.turns.wait(turn.session, rig.compactions.ask(turn.session), DEADLINE_S)
    assert "one" in said_to(engine.asked[2])
    assert "undone" not in said_to(engine.asked[2])
    assert turn.types.count("message.removed") == 2
    assert rig.database.call(sessions.get, turn.session).revert is UNSET
    answered(rig, turn, "again")
    assert said_to(engine.asked[-1]) == "What did we do so far? the summary again"


@pytest.mark.parametrize("where", ["removed", "copied", "copied without its source"])
def test_a_summary_stands_for_the_same_messages(rig: Rig, where: str) -> None:
    engine, turn = summed_up(rig)
    later = "third done "
    if where == "removed":
        command = MessageDelete(turn.session, turn.prompt)
        EditCommands(rig.services, rig.turns).remove(command)
        later = ""
    else:
        source, turn.session = turn.session, rig.sessions.fork(turn.session, ForkBody()).id
        if where == "copied without its source":
            rig.sessions.delete(source)
    answered(rig, turn, "fourth")
    assert said_to(engine.asked[-1]) == f"What did we do so far? the summary {later}fourth"


def test_the_first_steps_of_a_long_turn_are_left_out(rig: Rig) -> None:
    engine = Small(*[calls(("look", f'{{"n": "{n}{"x" * 900}"}}')) for n in range(4)], DONE)
    turn = Turned(rig.with_tools(tool("look")), engine)
    turn.end()
    last = engine.asked[-1].messages
    assert [m.role for m in last] == ["system", "user", "assistant", "tool"]
    assert last[1].content == "go"
    assert last[-1].content.startswith("{'n': '3x")  # type: ignore[union-attr]


@pytest.mark.parametrize("count", [1, 4])
def test_a_newest_step_that_does_not_fit_is_read_with_shorter_results(
    rig: Rig, count: int
) -> None:
    engine = Small(calls(*[("look", "{}")] * count), DONE)
    long = tool("look", lambda arguments, call: "head" + "é" * 25_000)
    Turned(rig.with_tools(long), engine).end()
    last = engine.asked[-1].messages
    assert [m.role for m in last] == ["system", "user", "assistant", *["tool"] * count]
    results = [str(m.content) for m in last[3:]]
    assert all(one.startswith("headéé") and "bytes are left out" in one for one in results)
    assert sum(len(one.encode()) for one in results) < 3000 + count * 150


def test_metadata_that_the_model_never_reads_costs_no_room(rig: Rig) -> None:
    def shown(arguments: object, call: object) -> Outcome:
        return Outcome("short", "a title", {"diff": "x" * 2900})

    engine = Small(*[calls(("look", f'{{"n": {n}}}')) for n in range(3)], DONE)
    looks = Tool("look", "what look does", {"type": "object"}, shown)
    Turned(rig.with_tools(looks), engine).end()
    assert [m.role for m in engine.asked[-1].messages].count("tool") == 3


def test_a_long_session_costs_what_fits_and_not_its_length(rig: Rig) -> None:
    session = rig.sessions.create(DIRECTORY, CreateBody(title="t"))
    model = ModelRef("demo", "demo")
    record = Record(session, rig.services)

    def fill(db: Connection) -> None:
        for number in range(4000):
            name = f"msg_{number:06d}"
            prompt = UserMessage(
                id=name, sessionID=session.id, time=MessageTime(number), agent="build", model=model
            )
            part = TextPart(
                id=f"prt_{number:06d}", sessionID=session.id, messageID=name, text="x" * 1000
            )
            messages.add_prompt(db, prompt, [part])

    rig.database.call(fill)
    prompt = rig.prompt(session.id, "the last")
    Turn(record, prompt, MessagePath("/", "/"), rig.room).begin()
    began = time.process_time()
    found = rig.database.call(history.window, session.id, prompt.id, 30_000)
    assert time.process_time() - began < 1
    assert found.is_cut
    assert len(found.messages) < 31
    assert found.size < 40_000
    assert rig.database.call(history.load, found)[-1].message.id == prompt.id
