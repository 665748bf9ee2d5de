"""The steps of a turn: what a model calls, what comes of the calls, and what the model reads."""

from pathlib import Path
from typing import Any

import gevent
import msgspec
import pytest
from msgspec.structs import replace

from processor.engines.engine import (
    Chunk,
    Finish,
    ReasoningPiece,
    RedactedThought,
    Text,
    ThoughtSignature,
)
from processor.native import progress
from processor.native.bounds import Bounds
from processor.native.modes import built_in
from processor.native.permissions import from_config
from processor.native.step_calls import MOST_AT_ONCE
from processor.tools.builtin import bounded
from processor.tools.spool import Spool
from processor.tools.threads import Threads
from processor.tools.tool import Call, Need, ToolFailed
from tests.processes import DEADLINE_S
from tests.unit.processor.native.scripted import DONE, Scripted, Turned, calls, needs, tool
from tests.unit.processor.rig import Rig


def test_a_call_is_a_step_and_its_result_goes_back_to_the_model(rig: Rig) -> None:
    engine = Scripted(calls(("look", '{"at": 1}')), DONE)
    turn = Turned(rig.with_tools(tool("look")), engine)
    first, last = turn.end()
    assert [part["type"] for part in first["parts"]] == ["step-start", "tool", "step-finish"]
    assert [part["type"] for part in last["parts"]] == ["step-start", "text", "step-finish"]
    assert first["parts"][-1]["reason"] == first["info"]["finish"] == "tool-calls"
    assert last["info"]["finish"] == "stop"
    assert first["info"]["parentID"] == last["info"]["parentID"] == turn.prompt
    [part] = turn.tools()
    assert part["state"]["status"] == "completed"
    assert part["state"]["input"] == {"at": 1}
    assert part["state"]["title"] == "a title of look"
    assert part["state"]["metadata"] == {"made": "by a test"}
    asked = engine.asked[1].messages[-2:]
    assert [message.role for message in asked] == ["assistant", "tool"]
    assert asked[0].tool_calls[0]["id"] == asked[1].tool_call_id == part["callID"]
    assert asked[0].tool_calls[0]["function"] == {"name": "look", "arguments": '{"at":1}'}
    assert asked[1].content == "{'at': 1}"
    tokens = rig.database.call(lambda db: db.execute("SELECT json FROM session").fetchone())[0]
    assert msgspec.json.decode(tokens)["tokens"]["input"] == 2


def test_a_call_is_shown_from_its_name_to_its_end(rig: Rig) -> None:
    Turned(rig.with_tools(tool("look")), Scripted(calls(("look", "{}")), DONE)).end()
    parts = [e["properties"]["part"] for e in rig.events if e["type"] == "message.part.updated"]
    states = [part["state"]["status"] for part in parts if part["type"] == "tool"]
    assert states == ["pending", "running", "completed"]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("look", '{"at": ', "the arguments are not JSON"),
        ("look", "[1]", "the arguments are list; allowed is a JSON object"),
        ("jump", "{}", "there is no tool 'jump'; there are: look"),
        ("", "{}", "the call names no tool; there are: look"),
    ],
)
def test_a_call_that_cannot_be_carried_out_is_an_error_and_the_turn_goes_on(
    rig: Rig, name: str, arguments: str, words: str
) -> None:
    engine = Scripted(calls((name, arguments), ("look", "{}")), DONE)
    turn = Turned(rig.with_tools(tool("look")), engine)
    broken, whole = turn.tools()
    assert (broken["state"]["status"], whole["state"]["status"]) == ("error", "completed")
    assert words in broken["state"]["error"]
    assert engine.asked[1].messages[-2].content == broken["state"]["error"]
    assert turn.end()[-1]["info"]["finish"] == "stop"


def test_a_model_that_means_to_call_a_tool_and_calls_none_learns_that(rig: Rig) -> None:
    engine = Scripted([Text("hm"), Finish("tool-calls")], DONE)
    turn = Turned(rig.with_tools(tool("look")), engine)
    [part] = turn.tools()
    assert "the call names no tool" in part["state"]["error"]
    assert len(engine.asked) == 2


def test_a_tool_that_fails_is_an_error_and_the_turn_goes_on(rig: Rig) -> None:
    def fail(arguments: dict[str, Any], call: Call) -> str:
        call.show(output="half")
        if arguments:
            raise ToolFailed("no such file")
        raise KeyError("a mistake in the tool")

    engine = Scripted(calls(("look", '{"at": 1}'), ("look", "{}")), DONE)
    turn = Turned(rig.with_tools(tool("look", fail)), engine)
    failed, broken = turn.tools()
    assert failed["state"]["error"] == "no such file"
    assert failed["state"]["metadata"]["output"] == "half"
    assert broken["state"]["error"] == "the tool failed; the log of the processor says why"
    assert turn.end()[-1]["info"]["finish"] == "stop"


def test_calls_run_at_once_and_their_results_keep_the_order(rig: Rig) -> None:
    met: list[str] = []

    def meet(arguments: dict[str, Any], call: Call) -> str:
        met.append(arguments["name"])
        with gevent.Timeout(DEADLINE_S):
            while len(met) < 3:
                gevent.sleep(0.001)
        return str(arguments["name"])

    engine = Scripted(calls(*[("meet", f'{{"name": "{name}"}}') for name in "abc"]), DONE)
    turn = Turned(rig.with_tools(tool("meet", meet)), engine)
    assert [part["state"]["output"] for part in turn.tools()] == ["a", "b", "c"]
    results = [one.content for one in engine.asked[1].messages if one.role == "tool"]
    assert results == ["a", "b", "c"]


def test_calls_past_the_bound_wait(rig: Rig) -> None:
    running, most = [0], [0]

    def count(arguments: dict[str, Any], call: Call) -> str:
        running[0] += 1
        most[0] = max(most[0], running[0])
        gevent.sleep(0.01)
        running[0] -= 1
        return ""

    engine = Scripted(calls(*[("count", "{}")] * 12), DONE)
    Turned(rig.with_tools(tool("count", count)), engine).end()
    assert most == [MOST_AT_ONCE]


def test_a_tool_that_hangs_ends_at_its_deadline(rig: Rig) -> None:
    def hang(arguments: dict[str, Any], call: Call) -> str:
        gevent.sleep(1000)
        return ""

    turn = Turned(
        rig.with_tools(tool("hang", hang), tool_s=0.05), Scripted(calls(("hang", "{}")), DONE)
    )
    [part] = turn.tools()
    assert part["state"]["error"] == "the tool has not ended within 0.05 s (--tool-timeout)"
    assert turn.end()[-1]["info"]["finish"] == "stop"


def test_a_tool_that_hangs_once_it_is_allowed_ends_at_its_deadline(
    rig: Rig, tmp_path: Path
) -> None:
    def hang(arguments: dict[str, Any], call: Call) -> str:
        call.need(Need("list", ["*"], []))
        gevent.sleep(1000)
        return ""

    hangs = bounded(tool("hang", hang), Spool(tmp_path, 1 << 20, Threads()))
    turn = Turned(rig.with_tools(hangs, tool_s=0.05), Scripted(calls(("hang", "{}")), DONE))
    [part] = turn.tools()
    assert part["state"]["error"] == "the tool has not ended within 0.05 s (--tool-timeout)"


def test_a_model_that_calls_without_end_is_stopped(rig: Rig) -> None:
    engine = Scripted(calls(("look", "{}")))
    turn = Turned(rig.with_tools(tool("look"), steps=3), engine)
    *_, last = turn.end()
    assert len(engine.asked) == 3
    assert "--max-steps" in last["info"]["error"]["data"]["message"]
    assert all(part["state"]["status"] != "running" for part in turn.tools())


def test_an_abort_ends_every_tool_at_once(rig: Rig) -> None:
    ended: list[str] = []

    def hang(arguments: dict[str, Any], call: Call) -> str:
        try:
            gevent.sleep(1000)
        finally:
            ended.append("one")
        return ""

    turn = Turned(
        rig.with_tools(tool("hang", hang)), Scripted(calls(("hang", "{}"), ("hang", "{}")), DONE)
    )
    with gevent.Timeout(DEADLINE_S):
        while str(rig.events).count("'running'") < 2:
            gevent.sleep(0.002)
    rig.turns.abort([turn.session], DEADLINE_S)
    [message] = turn.end()
    assert message["info"]["error"]["name"] == "MessageAbortedError"
    assert [part["state"]["status"] for part in turn.tools()] == ["error", "error"]
    gevent.sleep(0)
    assert ended == ["one", "one"]


def test_what_a_tool_shows_is_published_ten_times_a_second(rig: Rig) -> None:
    def talk(arguments: dict[str, Any], call: Call) -> str:
        for number in range(50):
            call.show(title="at work", output=f"{number} " * 20_000)
            gevent.sleep(0.005)
        return ""

    [part] = Turned(
        rig.with_tools(tool("talk", talk)), Scripted(calls(("talk", "{}")), DONE)
    ).tools()
    parts = [e["properties"]["part"] for e in rig.events if e["type"] == "message.part.updated"]
    shown = [one["state"] for one in parts if one.get("state", {}).get("status") == "running"]
    took_s = (part["state"]["time"]["end"] - part["state"]["time"]["start"]) / 1000
    assert 2 <= len(shown) <= 3 + took_s * 10
    assert shown[-1]["title"] == "at work"
    assert len(shown[-1]["metadata"]["output"]) == 30_000


def test_plan_mode_offers_no_tool_that_changes_something(rig: Rig) -> None:
    engine = Scripted(calls(("bash", "{}")), DONE)
    turn = Turned(rig.with_tools(needs(), tool("look")), engine, agent="plan")
    [part] = turn.tools()
    assert part["state"]["error"] == "the tool 'bash' is switched off; there are: look"
    assert [offer.name for offer in engine.asked[0].tools] == ["look"]
    assert "plan mode" in str(engine.asked[0].messages[0].content)
    assert {message["info"]["mode"] for message in turn.end()} == {"plan"}


def test_a_prompt_can_switch_a_tool_off(rig: Rig) -> None:
    engine = Scripted(DONE)
    Turned(rig.with_tools(needs(), tool("look")), engine, tools={"look": False}).end()
    assert [offer.name for offer in engine.asked[0].tools] == ["bash"]


def test_a_prompt_can_switch_off_write_and_keep_edit(rig: Rig) -> None:
    engine = Scripted(calls(("write", "{}")), DONE)
    rig.with_tools(tool("edit"), tool("write"))
    turn = Turned(rig, engine, tools={"write": False})
    assert turn.tools()[0]["state"]["error"] == (
        "the tool 'write' is switched off; there are: edit"
    )
    assert [offer.name for offer in engine.asked[0].tools] == ["edit"]


@pytest.mark.parametrize("body", [{"agent": "plan"}, {"tools": {"bash": False}}])
def test_a_child_may_do_nothing_that_its_parent_is_denied(rig: Rig, body: dict[str, Any]) -> None:
    config = from_config({"bash": "allow", "edit": "allow"}, "/home/me")

    def delegate(arguments: dict[str, Any], call: Call) -> str:
        known = arguments.get("child")
        return call.child("go", None, "x", known).session

    rig.with_tools(tool("task", delegate), needs(), tool("look"), modes=built_in(config))
    free = Turned(rig, Scripted(calls(("task", "{}")), calls(("bash", "{}")), DONE))
    child = free.tools()[0]["state"]["output"]
    assert parts_of(rig, child)[-1]["state"]["output"] == "it ran"
    # The child was made by a turn without the limit; a later turn in the session has the limit.
    rig.engine = engine = Scripted(
        calls(("task", f'{{"child": "{child}"}}')), calls(("bash", "{}")), DONE
    )
    free.prompt = rig.prompts.accept(free.session, free.body("go on", **body))
    free.end()
    assert [offer.name for offer in engine.asked[1].tools] == ["look"]
    error = "the tool 'bash' is switched off; there are: look"
    assert parts_of(rig, child)[-1]["state"]["error"] == error


def parts_of(rig: Rig, session: str) -> list[dict[str, Any]]:
    """Return the tool calls that are stored of a session."""
    stored = msgspec.json.decode(msgspec.json.encode(rig.messages(session)))
    return [part for one in stored for part in one["parts"] if part["type"] == "tool"]


def test_a_child_has_no_children_whatever_the_session_allows(rig: Rig) -> None:
    def delegate(arguments: dict[str, Any], call: Call) -> str:
        return call.child("go", None, "x").session

    rig.with_tools(tool("task", delegate), tool("look"))
    engine = Scripted(calls(("task", "{}")), DONE)
    turn = Turned(rig, engine, permission={"*": "allow"})
    turn.end()
    assert [offer.name for offer in engine.asked[1].tools] == ["look"]


def test_a_child_session_answers_for_its_parent(rig: Rig) -> None:
    def delegate(arguments: dict[str, Any], call: Call) -> str:
        answer = call.child("go", None, "a part of the work")
        return f"{answer.session} {answer.text}"

    engine = Scripted(calls(("task", "{}")), [Text("by the child"), Finish("stop")], DONE)
    turn = Turned(rig.with_tools(tool("task", delegate)), engine)
    [part] = turn.tools()
    child, words = part["state"]["output"].split(" ", 1)
    assert words == "by the child"
    assert part["state"]["metadata"]["sessionId"] == child
    made = [e["properties"]["info"] for e in rig.events if e["type"] == "session.created"][-1]
    assert (made["id"], made["parentID"]) == (child, turn.session)
    assert (made["agent"], made["title"]) == ("general", "a part of the work")
    assert [offer.name for offer in engine.asked[1].tools] == []


def test_a_child_that_a_turn_waits_for_needs_no_free_turn(tmp_path: Path) -> None:
    rig = Rig(tmp_path, Bounds(turns=1))

    def delegate(arguments: dict[str, Any], call: Call) -> str:
        if "child" not in arguments:
            return call.child("go", None, "x").session
        rig.prompts.accept(arguments["child"], Turned.body("of a person"))
        with gevent.Timeout(DEADLINE_S):
            while not rig.turns.free._queue:
                gevent.sleep(0.001)
        return call.child("go", None, "x", arguments["child"]).text

    rig.with_tools(tool("task", delegate))
    turn = Turned(rig, Scripted(calls(("task", "{}")), DONE))
    child = turn.tools()[0]["state"]["output"]
    rig.engine = Scripted(calls(("task", f'{{"child": "{child}"}}')), DONE)
    turn.prompt = rig.prompts.accept(turn.session, turn.body("go on"))
    turn.end()
    assert parts_of(rig, turn.session)[-1]["state"]["output"] == "done"
    assert len(rig.messages(child)) == 6
    rig.close()


def test_a_child_that_is_not_a_subagent_is_refused(rig: Rig) -> None:
    def delegate(arguments: dict[str, Any], call: Call) -> str:
        return call.child("go", "build", "x").text

    turn = Turned(rig.with_tools(tool("task", delegate)), Scripted(calls(("task", "{}")), DONE))
    assert turn.tools()[0]["state"]["error"] == (
        "there is no subagent 'build'; there are: general"
    )


def test_long_arguments_are_published_less_often(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "INPUT_BYTES", 1)

    def talk(arguments: dict[str, Any], call: Call) -> str:
        for number in range(2):
            call.show(output=str(number))
            gevent.sleep(0.15)
        return ""

    arguments = msgspec.json.encode({"content": "x" * 10_000}).decode()
    engine = Scripted(calls(("talk", arguments)), DONE)
    Turned(rig.with_tools(tool("talk", talk)), engine).end()
    parts = [e["properties"]["part"] for e in rig.events if e["type"] == "message.part.updated"]
    shown = [one["state"].get("metadata") for one in parts if one["type"] == "tool"]
    assert {"output": "0"} in shown
    assert {"output": "1"} not in shown


def test_each_thought_is_sent_back_with_its_signature_and_an_encrypted_one_as_it_is(
    rig: Rig,
) -> None:
    thoughts: list[Chunk] = [
        *(ReasoningPiece("a"), ReasoningPiece("b"), ThoughtSignature("s1")),
        *(RedactedThought("x1"), RedactedThought("x2")),
        *(ReasoningPiece("c"), ThoughtSignature("s2")),
        *(ReasoningPiece("d"), ThoughtSignature("s3")),
    ]
    engine = Scripted([*thoughts, Text("hm"), *calls(("look", "{}"))], DONE)
    engine.offer = replace(engine.offer, signs_thoughts=True)
    turn = Turned(rig.with_tools(tool("look")), engine)
    first, _ = turn.end()
    sent = engine.asked[1].messages[-2]
    assert sent.content == [
        {"type": "thinking", "thinking": "ab", "signature": "s1"},
        {"type": "redacted_thinking", "data": "x1"},
        {"type": "redacted_thinking", "data": "x2"},
        {"type": "thinking", "thinking": "c", "signature": "s2"},
        {"type": "thinking", "thinking": "d", "signature": "s3"},
        {"type": "text", "text": "hm"},
    ]
    assert len(sent.tool_calls) == 1
    reasoning = [part for part in first["parts"] if part["type"] == "reasoning"]
    assert [part["text"] for part in reasoning] == ["ab", "", "", "c", "d"]
    assert reasoning[1]["metadata"] == {"anthropic": {"redactedData": "x1"}}
    assert all("end" in part["time"] for part in reasoning)
