"""What coalescing does to short runs, and the traces on which others lost or doubled text."""

import pytest

from gateway.relay.coalesce import coalesce
from tests import traces
from tests.envelopes import enveloped, raw
from tests.histories import runs
from tests.reference import State

SESSION = "ses_1"


def delta(part, text, field="text", **more):
    properties = {"sessionID": SESSION, "messageID": "msg_1", "partID": part, "field": field}
    return {"type": "message.part.delta", "properties": {**properties, "delta": text, **more}}


def snapshot(part, text, end=None):
    time = {"start": 1} if end is None else {"start": 1, "end": end}
    info = {"id": part, "sessionID": SESSION, "messageID": "msg_1", "type": "text"}
    properties = {"sessionID": SESSION, "part": {**info, "text": text, "time": time}, "time": 1}
    return {"type": "message.part.updated", "properties": properties}


def tool(part, status, output=""):
    state = {"status": status, "input": {}, "metadata": {"output": output}, "time": {"start": 1}}
    info = {"id": part, "sessionID": SESSION, "messageID": "msg_1", "type": "tool"}
    properties = {"sessionID": SESSION, "part": {**info, "tool": "bash", "state": state}}
    return {"type": "message.part.updated", "properties": properties}


IDLE = {"type": "session.idle", "properties": {"sessionID": SESSION}}
OTHERS_IDLE = {"type": "session.idle", "properties": {"sessionID": "ses_2"}}
UNKNOWN = {"type": "tomorrow.came", "properties": {"x": 1}}
PLUGIN = {"type": "plugin.added", "properties": {"id": "agent"}}


def coalesced(*events, **how):
    return raw(coalesce(enveloped(events), **how))


def test_deltas_of_one_part_become_one_at_the_place_of_the_first():
    run = [delta("a", "1"), delta("b", "x"), delta("a", "2"), delta("b", "y"), delta("a", "3")]
    assert coalesced(*run) == [delta("a", "123"), delta("b", "xy")]


def test_fields_of_a_part_merge_apart():
    run = [delta("a", "1"), delta("a", "x", field="raw"), delta("a", "2")]
    assert coalesced(*run) == [delta("a", "12"), delta("a", "x", field="raw")]


def test_a_merged_delta_carries_the_id_of_its_last():
    run = [{"id": "evt_1", **delta("a", "1")}, {"id": "evt_2", **delta("a", "2")}]
    assert coalesced(*run) == [{"id": "evt_2", **delta("a", "12")}]


def test_a_snapshot_stands_for_the_deltas_and_the_provisional_snapshots_before_it():
    run = [snapshot("a", ""), delta("a", "1"), snapshot("a", "1"), delta("a", "2")]
    final = snapshot("a", "12", end=2)
    assert coalesced(*run, final) == [final]


def test_a_final_snapshot_is_never_dropped():
    run = [snapshot("a", "1", end=2), snapshot("a", "2", end=3)]
    assert coalesced(*run) == run


@pytest.mark.parametrize("barrier", [IDLE, UNKNOWN])
def test_nothing_before_a_barrier_is_superseded_by_what_follows_it(barrier):
    run = [delta("a", "1"), barrier, snapshot("a", "1", end=2)]
    assert coalesced(*run) == run


def test_an_unknown_delta_shape_is_neither_merged_nor_overtaken():
    run = [delta("a", "1"), delta("a", "2", strange=True), delta("a", "3")]
    assert coalesced(*run) == run


@pytest.mark.parametrize("bystander", [OTHERS_IDLE, PLUGIN])
def test_events_that_concern_nobody_here_do_not_stop_a_merge(bystander):
    run = [delta("a", "1"), bystander, delta("a", "2")]
    assert coalesced(*run) == [delta("a", "12"), bystander]


def test_a_running_tool_keeps_its_latest_output_and_its_end():
    running = [tool("t", "running", "x" * n) for n in range(5)]
    done = tool("t", "completed", "xxxx")
    assert coalesced(*running) == [running[-1]]
    assert coalesced(*running, done) == [done]


def test_a_tool_part_that_something_asked_about_stays_before_the_question():
    asked = {"type": "permission.asked", "properties": {"id": "per_1", "sessionID": SESSION}}
    run = [tool("t", "running"), asked, tool("t", "completed")]
    assert coalesced(*run) == run


def test_superseded_deltas_are_kept_for_who_reads_nothing_else():
    run = [snapshot("a", ""), delta("a", "1"), delta("a", "2"), snapshot("a", "12", end=2)]
    kept = coalesced(*run, keep_superseded=True)
    assert kept == [snapshot("a", ""), delta("a", "12"), snapshot("a", "12", end=2)]


@pytest.mark.parametrize("name", traces.ALL)
@pytest.mark.parametrize("length", [1, 2, 3, 100])
@pytest.mark.parametrize("keep_superseded", [False, True])
def test_a_trace_that_broke_another_coalescer(name, length, keep_superseded):
    trace = traces.ALL[name]()
    state = State()
    ends = [*range(length, len(trace.events), length), len(trace.events)]
    for run in runs(trace.events, ends):
        for event in raw(coalesce(enveloped(run), keep_superseded)):
            state.apply(event)
    assert state.parts[traces.MESSAGE_ID][traces.PART_ID]["text"] == trace.text
