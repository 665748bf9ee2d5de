"""The relay core as a reader sees it: what it gets, in which frames, with which ids."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.envelope import Envelope
from bus.events import Opaque
from gateway.relay import Cursor, Endpoint, FellOff, Log, Relay, View
from gateway.relay.frames import PIECE_BYTES
from tests import recorded
from tests.envelopes import (
    DIRECTORY,
    deliveries,
    enveloped,
    everything,
    instance,
    raw,
    wrapped,
)
from tests.histories import histories
from tests.reference import fold

START = Cursor(0)
GLOBAL = View(Endpoint.GLOBAL)


def storm(count, text="x" * 40):
    properties = {"sessionID": "s", "messageID": "m", "partID": "p", "field": "text"}
    return [
        {"type": "message.part.delta", "properties": {**properties, "delta": f"{n:07d}|{text}"}}
        for n in range(count)
    ]


def relay_of(envelopes, **bounds):
    relay = Relay(Log(**bounds))
    relay.append(envelopes)
    return relay


@given(histories(), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_readers_who_step_at_any_time_hold_the_same_state(events, batches):
    envelopes, relay = enveloped(events), Relay()
    eager, got = START, []
    for n, batch in enumerate(batches * (len(events) // sum(batches) + 1)):
        relay.append(envelopes[:batch])
        envelopes = envelopes[batch:]
        if n % 2:
            got += everything(relay, eager, instance())
            eager = relay.head
    got += everything(relay, eager, instance())
    late = everything(relay, START, instance())
    assert fold(got).view() == fold(late).view() == fold(events).view()


@pytest.mark.parametrize("name", recorded.scenarios())
def test_a_recorded_global_stream_is_json_equal_but_for_merged_deltas(name):
    sent = recorded.global_events(name)
    got = everything(relay_of(wrapped(sent)), START, GLOBAL)
    whole = [event for event in sent if event["payload"]["type"] != "message.part.delta"]
    kept = [event for event in got if event["payload"]["type"] != "message.part.delta"]
    assert all(event in whole for event in kept)
    assert syncs(got) == syncs(sent)
    assert fold(plain(got)).view() == fold(plain(sent)).view()


def syncs(wire):
    return [e for e in wire if e["payload"]["type"] == "sync"]


def plain(wire):
    return [e["payload"] for e in wire if e["payload"]["type"] != "sync"]


@pytest.mark.parametrize("name", recorded.scenarios())
def test_sync_frames_are_for_the_global_stream_alone(name):
    relay = relay_of(wrapped(recorded.global_events(name)))
    assert all(event["type"] != "sync" for event in everything(relay, START, instance()))


def test_one_event_at_a_time_passes_exactly_as_it_came():
    sent = recorded.global_events("tool_once")
    relay, cursor, got = Relay(), START, []
    for envelope in wrapped(sent):
        relay.append([envelope])
        got += everything(relay, cursor, GLOBAL)
        cursor = relay.head
    assert got == sent


def test_a_storm_leaves_in_few_bounded_frames():
    relay = relay_of(enveloped(storm(30_000)))
    steps = list(deliveries(relay, START, instance()))
    text = "".join(json.loads(e.data)["properties"]["delta"] for step in steps for e in step)
    assert text == "".join(e["properties"]["delta"] for e in storm(30_000))
    assert len(steps) < 80
    assert max(len(event.data) for step in steps for event in step) < PIECE_BYTES


def test_one_huge_event_is_not_copied_into_a_frame():
    huge = {"type": "tomorrow.came", "properties": {"text": "x" * 5_000_000}}
    relay = relay_of(enveloped([*storm(1), huge, *storm(1)]))
    step = relay.step(START, instance())
    payload = max(step.pieces, key=len)
    assert any(payload is e.event.payload for e in relay.log.run(1).envelopes)
    assert everything(relay, START, instance()) == [*storm(1), huge, *storm(1)]


def test_readers_with_the_same_view_at_the_same_place_share_their_bytes():
    relay = relay_of(enveloped(storm(10)))
    one, other = relay.step(START, instance()), relay.step(START, instance())
    assert one is other


def test_the_log_holds_to_its_bounds_and_says_what_it_lost():
    relay = relay_of(enveloped(storm(20_000)), max_events=5000, max_bytes=10**9)
    assert relay.log.head - relay.log.tail <= 5000
    with pytest.raises(FellOff):
        relay.step(START, instance())
    relay = relay_of(enveloped(storm(20_000)), max_events=10**9, max_bytes=2_000_000)
    assert relay.log.size <= 2_000_000
    assert relay.step(Cursor(relay.log.tail), instance()) is not None


def test_an_event_larger_than_the_log_is_still_delivered():
    huge = {"type": "tomorrow.came", "properties": {"text": "x" * 3_000_000}}
    relay = relay_of(enveloped([*storm(5), huge]), max_bytes=1_000_000)
    assert everything(relay, Cursor(relay.log.tail), instance())[-1] == huge


def test_the_instance_stream_gets_its_directory_and_workspace_only():
    here = enveloped(storm(1), DIRECTORY)
    there = enveloped(storm(2), DIRECTORY + "/sub")
    nowhere = enveloped(storm(3), None)
    relay = relay_of([*here, *there, *nowhere])
    assert everything(relay, START, instance()) == storm(1)
    assert everything(relay, START, instance(workspace="w")) == []
    assert len(everything(relay, START, GLOBAL)) == 3


def test_a_session_filter_lets_that_session_through_and_the_end_of_the_instance():
    idles = [{"type": "session.idle", "properties": {"sessionID": f"ses_{n}"}} for n in range(3)]
    plugin = {"type": "plugin.added", "properties": {"id": "x"}}
    end = {"type": "server.instance.disposed", "properties": {"directory": DIRECTORY}}
    relay = relay_of(enveloped([*idles, plugin, end]))
    view = instance(sessions=frozenset({"ses_1"}))
    assert everything(relay, START, view) == [idles[1], end]


def test_the_instance_stream_ends_with_its_instance_and_the_global_one_goes_on():
    end = {"type": "server.instance.disposed", "properties": {"directory": DIRECTORY}}
    relay = relay_of(enveloped([*storm(1), end, *storm(1)]))
    step = relay.step(START, instance())
    assert step.ends
    assert step.events == 2
    step = relay.step(START, GLOBAL)
    assert not step.ends
    assert step.events == 3


def test_an_id_names_the_run_and_how_much_of_it_was_delivered():
    idle = {"type": "session.idle", "properties": {"sessionID": "s"}}
    relay = relay_of(enveloped([*storm(2), idle, *storm(1), idle]))
    [events] = deliveries(relay, START, instance())
    tag = instance().tag
    assert [e.id for e in events] == [f"p1epoch:0-5.{k}@{tag}" for k in (1, 2, 3)] + ["p1epoch:5"]


def test_with_two_sources_an_id_has_a_mark_for_each():
    mine, yours = enveloped(storm(2), source="a"), enveloped(storm(2), source="b")
    relay = relay_of([])
    for envelope in (yours[0], mine[0], yours[1], mine[1]):
        relay.append([envelope])
    [events] = deliveries(relay, START, instance())
    assert [e.id for e in events] == ["aepoch:2", "aepoch:2,bepoch:2"]


@given(histories(), st.lists(st.integers(1, 40), min_size=1, max_size=9))
def test_an_id_says_exactly_which_events_have_been_delivered(events, steps):
    """What `DESIGN.md` promises of ids: coalescing the run it names again, less its first K,
    and then the rest, leads to the same state, wherever the cut fell.
    """
    from gateway.relay.coalesce import coalesce

    envelopes, relay, got = enveloped(events), Relay(), []
    cursor = relay.head
    while envelopes:
        count = steps[len(got) % len(steps)]
        relay.append(envelopes[:count])
        envelopes = envelopes[count:]
        for delivered in deliveries(relay, cursor, instance()):
            got += delivered
        cursor = relay.head
    everything_sent = enveloped(events)
    for cut in range(0, len(got), max(1, len(got) // 7)):
        begun, end, k = _parse(got[cut].id)
        rest = raw(coalesce(everything_sent[begun:end]))[k:] + raw(everything_sent[end:])
        before = [json.loads(event.data) for event in got[: cut + 1]]
        assert fold([*before, *rest]).view() == fold(events).view()


def _parse(event_id):
    place = event_id.partition(":")[2]
    if "-" not in place:
        return int(place), int(place), 0
    begun, _, rest = place.partition("-")
    end, _, k = rest.partition(".")
    return int(begun), int(end), int(k.partition("@")[0])


@pytest.mark.parametrize("view", [GLOBAL, instance()])
def test_a_step_counts_what_it_merged_and_the_bytes_that_saved(view):
    envelopes = enveloped(storm(500))
    [merged] = steps(relay_of(envelopes), view)
    eager = relay_of([])
    single = []
    for envelope in envelopes:
        cursor = eager.head
        eager.append([envelope])
        single.append(eager.step(cursor, view))
    assert (merged.events, merged.merged, merged.superseded) == (1, 499, 0)
    assert {(step.merged, step.superseded, step.saved_bytes) for step in single} == {(0, 0, 0)}
    saved = sum(map(bytes_of, single)) - bytes_of(merged)
    assert merged.saved_bytes == pytest.approx(saved, rel=0.02)


def test_a_step_counts_what_a_snapshot_stands_for():
    part = {"id": "p", "sessionID": "s", "messageID": "m", "type": "text", "text": "all"}
    closing = {"type": "message.part.updated", "properties": {"sessionID": "s", "part": part}}
    [step] = steps(relay_of(enveloped([*storm(100), closing])), GLOBAL)
    assert (step.events, step.merged, step.superseded) == (1, 0, 100)
    assert step.saved_bytes > 100 * 48
    [kept] = steps(
        relay_of(enveloped([*storm(100), closing])), View(Endpoint.GLOBAL, keep_superseded=True)
    )
    assert (kept.events, kept.merged, kept.superseded) == (2, 99, 0)


def steps(relay, view):
    cursor, found = START, []
    while (step := relay.step(cursor, view)) is not None:
        found.append(step)
        cursor = step.cursor
    return found


def bytes_of(step):
    return sum(map(len, step.pieces))


def test_no_bytes_of_the_bus_leave_the_lines_of_a_frame():
    event = Opaque("x", None, None, None, None, False, b'{"type":\n"x"}\r\n\r\ndata: {}')
    for view in (GLOBAL, instance()):
        relay = relay_of([Envelope("p", "e\nvent: x", 1, 1, DIRECTORY, None, None, event)])
        written = b"".join(relay.step(START, view).pieces)
        assert written.count(b"\n") == 3
        assert b"\r" not in written
