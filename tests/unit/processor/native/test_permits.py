"""Calls that need leave: by a rule, by what was allowed before, or by a person."""

import sqlite3
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from bus.commands import Asks, QuestionReply
from bus.events.session import Option, Question
from processor.native.modes import built_in
from processor.native.permissions import from_config
from processor.native.step_calls import MOST_AT_ONCE
from processor.store import model_asks
from processor.tools.tool import Call, Need
from tests.processes import DEADLINE_S
from tests.unit.processor.native.scripted import DONE, Scripted, Turned, calls, needs, tool
from tests.unit.processor.rig import Rig


def test_a_call_that_waits_for_a_person_holds_up_no_other(rig: Rig) -> None:
    engine = Scripted(calls(("bash", "{}"), ("look", "{}")), DONE)
    turn = Turned(rig.with_tools(needs(), tool("look")), engine)
    [asked] = turn.until_asked()
    with gevent.Timeout(DEADLINE_S):
        while "completed" not in str(rig.events):
            gevent.sleep(0.002)
    turn.reply(asked.id, "once")
    assert [part["state"]["status"] for part in turn.tools()] == ["completed", "completed"]


def test_a_person_is_asked_once_for_one_call(rig: Rig) -> None:
    turn = Turned(
        rig.with_tools(needs()), Scripted(calls(("bash", "{}")), calls(("bash", "{}")), DONE)
    )
    for _ in range(2):
        [asked] = turn.until_asked()
        assert asked.permission == "bash"
        assert (asked.patterns, asked.always, asked.metadata) == (["ls"], ["ls *"], {"a": 1})
        turn.reply(asked.id, "once")
    assert [part["state"]["output"] for part in turn.tools()] == ["it ran", "it ran"]
    assert asked.tool.callID == turn.tools()[1]["callID"]
    assert turn.types.count("permission.replied") == 2


def test_always_is_remembered_for_the_project_and_lets_others_go_on(rig: Rig) -> None:
    twice = calls(("bash", "{}"), ("bash", '{"what": "ls -l"}'))
    turn = Turned(rig.with_tools(needs()), Scripted(twice, DONE))
    first, _ = turn.until_asked(count=2)
    turn.reply(first.id, "always")
    assert [part["state"]["output"] for part in turn.tools()] == ["it ran", "it ran"]
    later = Turned(rig, Scripted(calls(("bash", '{"what": "ls -a"}')), DONE))
    assert later.tools()[0]["state"]["output"] == "it ran"
    other = Turned(rig, Scripted(calls(("bash", '{"what": "rm x"}')), DONE))
    assert [one.patterns for one in other.until_asked()] == [["rm x"]]


def test_always_counts_in_one_work_tree_or_one_folder(rig: Rig, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("tree", "tree/below", "plain", "other")}
    for folder in folders.values():
        folder.mkdir()
    (folders["tree"] / ".git").mkdir()
    rig.with_tools(needs())

    def turned(name: str) -> Turned:
        return Turned(rig, Scripted(calls(("bash", "{}")), DONE), str(folders[name]))

    for name in ("plain", "tree"):
        turn = turned(name)
        turn.reply(turn.until_asked()[0].id, "always")
        turn.end()
    for name in ("plain", "tree", "tree/below"):
        assert turned(name).tools()[0]["state"]["output"] == "it ran"
    assert turned("other").until_asked()


def test_a_refusal_without_words_stops_the_turn_and_refuses_the_others(rig: Rig) -> None:
    engine = Scripted(calls(("bash", "{}"), ("bash", "{}")), DONE)
    turn = Turned(rig.with_tools(needs()), engine)
    first, _ = turn.until_asked(count=2)
    turn.reply(first.id, "reject")
    assert {part["state"]["error"] for part in turn.tools()} == {
        "The user rejected permission to use this specific tool call."
    }
    [message] = turn.end()
    assert message["info"]["finish"] == "tool-calls"
    assert "error" not in message["info"]
    assert len(engine.asked) == 1


def test_a_refusal_with_words_goes_to_the_model(rig: Rig) -> None:
    engine = Scripted(calls(("bash", "{}")), DONE)
    turn = Turned(rig.with_tools(needs()), engine)
    turn.reply(turn.until_asked()[0].id, "reject", "use the other folder")
    assert turn.end()[-1]["info"]["finish"] == "stop"
    assert "use the other folder" in str(engine.asked[1].messages[-1].content)


def test_an_ask_that_nobody_answers_is_refused_and_the_turn_goes_on(rig: Rig) -> None:
    turn = Turned(rig.with_tools(needs(), ask_s=0.05), Scripted(calls(("bash", "{}")), DONE))
    [part] = turn.tools()
    assert part["state"]["error"] == "no person has answered within 0.05 s (--ask-timeout)"
    assert turn.end()[-1]["info"]["finish"] == "stop"
    assert turn.types.count("permission.replied") == 1
    assert rig.asks.waiting(Asks("permission")) == []


def test_an_abort_answers_what_waits_for_a_person(rig: Rig) -> None:
    turn = Turned(rig.with_tools(needs()), Scripted(calls(("bash", "{}")), DONE))
    turn.until_asked()
    rig.turns.abort([turn.session], DEADLINE_S)
    turn.end()
    assert rig.asks.waiting(Asks("permission")) == []
    assert turn.types.count("permission.replied") == 1


def test_a_question_is_answered_or_stops_the_turn(rig: Rig) -> None:
    def wonder(arguments: dict[str, Any], call: Call) -> str:
        asked = Question("Which?", "Way", [Option("left", ""), Option("right", "")])
        return str(call.ask([asked]))

    rig.with_tools(tool("question", wonder))
    turn = Turned(rig, Scripted(calls(("question", "{}")), DONE))
    rig.asks.answer(QuestionReply(turn.until_asked("question")[0].id, [["left"]]))
    assert turn.tools()[0]["state"]["output"] == "[['left']]"
    declined = Turned(rig, Scripted(calls(("question", "{}")), DONE))
    rig.asks.answer(QuestionReply(declined.until_asked("question")[0].id, None))
    assert declined.tools()[0]["state"]["status"] == "error"
    assert len(declined.end()) == 1


def test_a_rule_denies_without_asking(rig: Rig) -> None:
    modes = built_in(from_config({"bash": {"*": "allow", "rm *": "deny"}}, "/home/me"))
    rig.with_tools(needs(), modes=modes)
    both = calls(("bash", "{}"), ("bash", '{"what": "rm -r x"}'))
    ran, denied = Turned(rig, Scripted(both, DONE)).tools()
    assert ran["state"]["output"] == "it ran"
    assert "The user has specified a rule" in denied["state"]["error"]
    assert "rm *" in denied["state"]["error"]


def test_after_a_refusal_no_other_call_of_the_step_asks(rig: Rig) -> None:
    refused = Event()

    def ask_late(arguments: dict[str, Any], call: Call) -> str:
        refused.wait()
        call.need(Need("webfetch", ["x"], []))
        return "it ran"

    named = [("late", "{}"), *[("bash", "{}")] * MOST_AT_ONCE]
    rig.with_tools(needs(), tool("late", ask_late))
    turn = Turned(rig, Scripted(calls(*named), DONE))
    first, *_ = turn.until_asked(count=MOST_AT_ONCE - 1)
    turn.reply(first.id, "reject")
    refused.set()
    assert {part["state"]["status"] for part in turn.tools()} == {"error"}
    assert turn.types.count("permission.asked") == MOST_AT_ONCE - 1
    assert len(turn.end()) == 1


def test_an_ask_that_cannot_be_saved_is_refused_at_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(model_asks, "put", full)
    turn = Turned(rig.with_tools(needs()), Scripted(calls(("bash", "{}")), DONE))
    assert turn.tools()[0]["state"]["error"] == (
        "The user cannot be asked: ask: cannot be saved: database or disk is full"
    )
    assert "permission.asked" not in turn.types
    assert rig.asks.waiting(Asks("permission")) == []
    assert turn.end()[-1]["info"]["finish"] == "stop"
