"""The queue of a session's prompts: its status meanwhile, and prompts that get no answer."""

from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import Event

from processor.native.bounds import Bounds
from processor.tools.tool import Call
from tests.processes import DEADLINE_S
from tests.unit.processor.native.scripted import DONE, Scripted, Turned, calls, tool
from tests.unit.processor.rig import Rig


def test_a_prompt_that_is_gone_costs_no_other_prompt_its_answer(rig: Rig) -> None:
    begun, free = Event(), Event()

    def wait(arguments: dict[str, Any], call: Call) -> str:
        begun.set()
        free.wait(DEADLINE_S)
        return ""

    engine = Scripted(calls(("wait", "{}")), DONE)
    turn = Turned(rig.with_tools(tool("wait", wait)), engine)
    assert begun.wait(DEADLINE_S)
    dropped: list[str] = []
    rig.turns.dropped = dropped.append
    gone, kept = (rig.prompts.accept(turn.session, turn.body(text)) for text in ("gone", "kept"))
    rig.database.call(lambda db: db.execute("DELETE FROM message WHERE id = ?", (gone,)))
    free.set()
    for prompt in (gone, kept):
        assert rig.turns.wait(turn.session, prompt, DEADLINE_S)
    assert dropped == [gone]
    assert turn.end()[-1]["info"]["parentID"] == kept
    assert rig.turns.waiting == 0


def test_a_session_is_busy_from_the_acceptance_of_its_prompt_to_its_last_answer(rig: Rig) -> None:
    free = Event()

    def wait(arguments: dict[str, Any], call: Call) -> str:
        free.wait(DEADLINE_S)
        return ""

    rig.with_tools(tool("wait", wait))
    turn = Turned(rig, Scripted(calls(("wait", "{}")), DONE))
    of = rig.services.statuses.of
    assert set(of(None)) == {turn.session}  # the turn has not begun
    last = rig.prompts.accept(turn.session, turn.body("again"))
    free.set()
    assert rig.turns.wait(turn.session, last, DEADLINE_S)
    statuses = [event["properties"]["status"]["type"] for event in statuses_of(rig)]
    assert statuses == ["busy", "busy", "busy", "idle"]
    assert turn.types.count("session.idle") == 1
    assert of(None) == {}


@pytest.mark.parametrize("is_removed", [False, True])
def test_a_session_is_idle_when_its_last_prompts_are_dropped(rig: Rig, is_removed: bool) -> None:
    begun, free = Event(), Event()

    def wait(arguments: dict[str, Any], call: Call) -> str:
        begun.set()
        free.wait(DEADLINE_S)
        return ""

    rig.with_tools(tool("wait", wait))
    turn = Turned(rig, Scripted(calls(("wait", "{}")), DONE))
    assert begun.wait(DEADLINE_S)
    waits = rig.prompts.accept(turn.session, turn.body("again"))
    if is_removed:
        rig.database.call(lambda db: db.execute("DELETE FROM message WHERE id = ?", (waits,)))
        free.set()
    else:
        rig.turns.abort([turn.session], DEADLINE_S)
    for prompt in (turn.prompt, waits):
        assert rig.turns.wait(turn.session, prompt, DEADLINE_S)
    gevent.sleep(0)
    assert rig.services.statuses.of(None) == {}
    assert statuses_of(rig)[-1]["properties"]["status"] == {"type": "idle"}


def test_a_prompt_that_waits_for_a_free_turn_is_idle_at_once_when_it_is_aborted(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path, Bounds(turns=1))
    rig.with_tools(tool("wait", lambda arguments, call: str(Event().wait(DEADLINE_S))))
    first = Turned(rig, Scripted(calls(("wait", "{}")), DONE))
    waits = Turned(rig, rig.engine)
    gevent.sleep(0)
    rig.turns.abort([waits.session], DEADLINE_S)
    assert set(rig.services.statuses.of(None)) == {first.session}
    rig.turns.abort([first.session], DEADLINE_S)
    rig.close()


def statuses_of(rig: Rig) -> list[dict[str, Any]]:
    return [event for event in rig.events if event["type"] == "session.status"]
