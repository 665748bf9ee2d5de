"""When a turn is over, and how it ended."""

import pytest

from acp_client.session.turn import EditorTurn, TurnOutcome
from tests import recorded
from tests.unit.acp_client.screen import ended, event, message, of_wire, status

PROMPT = message("user", id="msg_0")
IDLE = event("session.idle", sessionID="ses_1")


def watched(*events):
    turn, seen = EditorTurn(), set()
    for one in events:
        is_new = False
        if one.type == "message.updated":
            id_ = bytes(one.properties)
            name = id_.split(b'"id": "')[1].split(b'"')[0]
            is_new = name not in seen
            seen.add(name)
        turn.observe(one, is_new)
    return turn


def test_it_is_over_at_the_idle_after_its_prompt():
    turn = watched(PROMPT, status("busy"), message(), ended(finish="stop"), status())
    assert turn.over
    assert turn.outcome() == TurnOutcome("end_turn")


def test_an_idle_before_its_prompt_is_another_turns():
    assert not watched(status(), IDLE, PROMPT).over
    assert not watched(message(), ended(), status()).over


def test_either_idle_counts():
    assert watched(PROMPT, IDLE).over
    assert watched(PROMPT, status()).over


def test_busy_again_is_not_over():
    assert not watched(PROMPT, status(), status("busy")).idle


def test_an_idle_before_the_last_update_of_an_answer_is_not_the_end():
    aborted = {"name": "MessageAbortedError", "data": {"message": "Aborted"}}
    turn = watched(PROMPT, message(), status())
    assert turn.idle
    assert not turn.over
    turn.observe(ended(error=aborted), False)
    assert turn.over
    assert turn.outcome() == TurnOutcome("cancelled")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"finish": "stop"}, TurnOutcome("end_turn")),
        ({"finish": "length"}, TurnOutcome("max_tokens")),
        ({"finish": "content-filter"}, TurnOutcome("refusal")),
        ({"error": {"name": "MessageOutputLengthError", "data": {}}}, TurnOutcome("max_tokens")),
        ({"error": {"name": "ContentFilterError"}}, TurnOutcome("refusal")),
        ({"error": {"name": "APIError", "data": {"message": "no"}}}, TurnOutcome(error="no")),
        ({"error": {"name": "UnknownError", "data": "x"}}, TurnOutcome(error="UnknownError")),
    ],
)
def test_how_it_ended_is_what_its_answer_says(answer, outcome):
    assert watched(PROMPT, message(), ended(**answer), status()).outcome() == outcome


def test_an_answer_that_finishes_with_an_error_is_no_good_end():
    events = [PROMPT, message(), ended(finish="error"), status()]
    assert "error" in (watched(*events).outcome().error or "")
    failed = event("session.error", error={"name": "APIError", "data": {"message": "overloaded"}})
    assert watched(failed, *events).outcome() == TurnOutcome(error="overloaded")


def test_an_error_without_an_answer_is_its_end():
    failed = event("session.error", sessionID="ses_1", error={"name": "X", "data": {}})
    turn = watched(PROMPT, failed, status())
    assert turn.outcome() == TurnOutcome(error="X")


def test_an_error_beside_a_good_answer_is_none():
    failed = event("session.error", sessionID="ses_1", error={"name": "X", "data": {}})
    turn = watched(PROMPT, failed, message(), ended(finish="stop"), status())
    assert turn.outcome() == TurnOutcome("end_turn")


def test_an_answer_without_an_end_was_cut_off():
    assert "cut off" in watched(PROMPT, message(), status()).outcome().error


def test_a_cancelled_turn_is_cancelled_whatever_else_happens():
    turn = watched(PROMPT, message(), ended(error={"name": "APIError"}), status())
    turn.cancelled = True
    assert turn.outcome() == TurnOutcome("cancelled")


@pytest.mark.parametrize(
    ("name", "stops"),
    [
        ("plain", ["end_turn", "end_turn"]),
        ("tool_once", ["end_turn"]),
        ("abort", ["cancelled"]),
        ("old-1.2.27/abort", ["cancelled"]),
        ("error400", [None]),
    ],
)
def test_recorded_turns_end_when_no_more_text_comes(name, stops):
    events = [e for e in recorded.events(name) if e["type"].startswith(("session", "message"))]
    turn, seen, found, prompts = EditorTurn(), set(), [], set()
    for wire in events:
        if turn.over:
            assert not wire["type"].startswith("message.part") or turn.prompt not in prompts
        info = wire["properties"].get("info", {})
        is_new = info.get("id") not in seen
        if turn.over and info.get("role") == "user" and is_new:
            turn = EditorTurn()
        seen.add(info.get("id"))
        turn.observe(of_wire(wire), is_new)
        if turn.over and turn.prompt not in prompts:
            prompts.add(turn.prompt)
            found.append(turn.outcome().stopReason)
    assert found == stops
