"""Types of a new entity need no more than their declarations to be relayed as all others are."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.events import from_json
from bus.ledger import Ledger, snapshot
from bus.sse import EventStreamParser
from bus.transport.clone import Cloned
from gateway.relay import Cursor, Endpoint, Log, Relay, ResumeVerdict, View, enter
from gateway.relay.coalesce import coalesce
from tests import gauges
from tests.envelopes import deliveries, dump, enveloped, everything, instance, raw
from tests.gauges import label, made, moved, noted, removed
from tests.histories import flush_points

NOW = 1_000_000_000
BUSY = {
    "type": "session.status",
    "properties": {"sessionID": "ses", "status": {"type": "busy"}},
}
IDLE = {"type": "session.idle", "properties": {"sessionID": "ses"}}


@pytest.fixture(autouse=True, scope="module")
def _gauges():
    with gauges.declared():
        yield


def coalesced(*events, **how):
    return raw(coalesce(enveloped(events), **how))


def relay_of(*events, **bounds):
    relay = Relay(Log(**bounds))
    for envelope in enveloped(events):
        relay.append([envelope])
    return relay


def received(relay, last_id, view):
    """Return the verdict on an id, and all that a reader with the id gets."""
    entrance = enter(relay, last_id, view, NOW)
    parser = EventStreamParser()
    first = [e for piece in entrance.pieces(view.endpoint) for e in parser.feed(piece)]
    got = [*(json.loads(e.data) for e in first), *everything(relay, entrance.cursor, view)]
    return entrance.verdict, [event.get("payload", event) for event in got]


def upserts(ledger, after):
    return [json.loads(one.envelope().event.json()) for one in ledger.changed(after)]


def test_the_latest_stands_for_those_before_it_and_for_the_text_before_it():
    run = [moved("a", 1), moved("b", 1), noted("a", "x"), moved("a", 2), moved("a", 3)]
    assert coalesced(*run) == [moved("b", 1), moved("a", 3)]
    kept = coalesced(*run, keep_superseded=True)
    assert kept == [moved("a", 1), moved("b", 1), noted("a", "x"), moved("a", 3)]


SAID = st.one_of(
    st.builds(moved, st.sampled_from("ab"), st.integers(0, 3), st.sampled_from(["ses", None])),
    st.builds(noted, st.sampled_from("ab"), st.sampled_from(["x", "é", ""])),
    st.builds(noted, st.just("a"), st.just("y"), st.just("ses_2"), st.sampled_from(["unit"])),
    st.builds(removed, st.sampled_from("ab")),
    st.sampled_from([IDLE, BUSY]),
)


def fold(events):
    """Return what a client holds: gauges by session and id."""
    held = {}
    for event in events:
        kind, properties = event["type"], event["properties"]
        if kind == "gauge.moved":
            key = properties.get("sessionID"), properties["gauge"]["id"]
            held[key] = dict(properties["gauge"])
        elif kind.startswith("gauge."):
            key = properties.get("sessionID"), properties["gaugeID"]
            if kind == "gauge.removed":
                held.pop(key, None)
            elif key in held:
                field = properties["field"]
                held[key][field] = held[key].get(field, "") + properties["delta"]
    return held


@settings(max_examples=60)
@given(st.lists(SAID, max_size=30), st.data())
def test_a_client_holds_the_same_at_every_flush_and_after_any_gap(events, data):
    ends = [0, *data.draw(flush_points(len(events)))]
    got = [one for a, b in pairwise(ends) for one in coalesced(*events[a:b])]
    assert fold(got) == fold(events)
    cut = data.draw(st.integers(0, len(events)))
    ledger = Ledger()
    ledger.note(enveloped(events))
    assert fold(events[:cut] + upserts(ledger, cut)) == fold(events)
    assert fold(upserts(ledger, -1)) == fold(events)


def test_text_merges_by_entity_and_field_and_keeps_its_type():
    run = [noted("a", "1"), noted("b", "x"), noted("a", "2"), noted("a", "y", field="unit")]
    assert coalesced(*run) == [noted("a", "12"), noted("b", "x"), noted("a", "y", field="unit")]


def test_nothing_of_it_crosses_a_barrier():
    run = [moved("a", 1), noted("a", "x"), IDLE, noted("a", "y"), moved("a", 2)]
    assert coalesced(*run) == [moved("a", 1), noted("a", "x"), IDLE, moved("a", 2)]
    assert coalesced(moved("a", 1), removed("a"), moved("a", 2)) == [
        moved("a", 1),
        removed("a"),
        moved("a", 2),
    ]


def test_a_name_is_taken_for_that_of_no_other_entity():
    ids = {"id": "a", "sessionID": "ses", "messageID": "msg", "type": "text", "text": ""}
    part = {"type": "message.part.updated", "properties": {"sessionID": "ses", "part": ids}}
    delta = {
        "type": "message.part.delta",
        "properties": {
            "sessionID": "ses",
            "messageID": "msg",
            "partID": "a",
            "field": "note",
            "delta": "p",
        },
    }
    run = [part, moved("a", 1), moved("a", 5, "ses_2")]
    run += [noted("a", "1"), noted("a", "2", "ses_2"), delta]
    assert coalesced(*run) == run
    ledger = Ledger()
    ledger.note(enveloped(run))
    texts = {json.dumps(one): one for one in upserts(ledger, -1)}
    assert moved("a", 1, note="1") in texts.values()
    assert moved("a", 5, "ses_2", note="2") in texts.values()
    grown = [one["properties"]["part"] for one in texts.values() if "part" in one["properties"]]
    assert grown == [{**ids, "note": "p"}]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "gauge.moved", "properties": {"sessionID": "ses", "gauge": {"level": 1}}},
        {"type": "gauge.moved", "properties": {"sessionID": "ses", "gauge": "a"}},
        {**noted("a", "x"), "more": 1},
        noted("a", "half a pair: \ud83d"),
        {"type": "gauge.noted", "properties": {"sessionID": "ses", "delta": "x"}},
    ],
    ids=str,
)
def test_an_event_in_an_odd_form_passes_as_it_came_and_is_a_barrier(event):
    odd = from_json(json.dumps(event).encode())
    assert json.loads(odd.json()) == event
    run = [from_json(dump(one)) for one in (noted("a", "1"), noted("a", "2"))]
    envelopes = enveloped([IDLE] * 3)
    three = zip(envelopes, [run[0], odd, run[1]], strict=True)
    mixed = [replace(envelope, event=one) for envelope, one in three]
    assert [e.event for e in coalesce(mixed)] == [run[0], odd, run[1]]


@pytest.mark.parametrize("session", ["ses", None])
@pytest.mark.parametrize("view", [instance(), View(Endpoint.GLOBAL)])
def test_a_reader_that_comes_late_gets_it(session, view):
    events = [BUSY, moved("a", 1, session), moved("a", 2, session)]
    if session is not None:
        events.append(noted("a", "grown", session))
    _, got = received(relay_of(*events), None, view)
    expected = moved("a", 2, session, **({} if session is None else {"note": "grown"}))
    assert expected in got
    assert moved("a", 1, session) not in got


def test_a_reader_that_fell_off_the_log_gets_snapshots_and_removals():
    events = [BUSY, moved("a", 1), moved("b", 1), removed("b"), moved("a", 2), noted("a", "x")]
    filling = [{"type": "plugin.added", "properties": {"id": str(n)}} for n in range(5000)]
    relay = relay_of(*events, *filling, max_events=1000)
    verdict, got = received(relay, "p1epoch:3", instance())
    assert verdict is ResumeVerdict.CAUGHT_UP
    assert [one for one in got if one["type"].startswith("gauge.")] == [
        removed("b"),
        moved("a", 2, note="x"),
    ]
    _, later = received(relay, None, instance())
    assert removed("b") not in later


def test_a_stream_is_resumed_at_every_place():
    events = [moved("a", 1), noted("a", "x"), moved("b", 1), noted("a", "y"), IDLE]
    events += [noted("a", "z"), moved("a", 2), noted("b", "w"), removed("b")]
    relay, view = relay_of(*events), instance()
    got = [e for step in deliveries(relay, Cursor(0), view) for e in step]
    assert len(got) > 4
    for cut, event in enumerate(got, start=1):
        verdict, after = received(relay_of(*events), event.id, view)
        assert verdict is ResumeVerdict.EXACT
        assert after == [json.loads(e.data) for e in got[cut:]]


def test_an_entity_that_grew_since_its_creation_is_known_by_an_upsert():
    ledger = Ledger()
    ledger.note(enveloped([made("a", 1), noted("a", "x" * 100_000)]))
    [upsert] = ledger.changed(-1)
    expected = moved("a", 1, note="x" * 100_000)
    assert json.loads(upsert.envelope().event.json()) == expected
    assert upsert.is_long
    assert json.loads(b"".join(upsert.json_pieces())) == expected


def test_what_belongs_to_a_message_goes_with_the_message():
    info = {"id": "msg", "sessionID": "ses", "role": "user"}
    message = {"type": "message.updated", "properties": {"sessionID": "ses", "info": info}}
    gone = {"type": "message.removed", "properties": {"sessionID": "ses", "messageID": "msg"}}
    ledger = Ledger()
    events = [message, label("set", "a", "msg"), label("set", "b", "msg")]
    events += [label("set", "c", "other"), label("removed", "b", "msg"), gone]
    ledger.note(enveloped(events[:4]))
    assert ledger.sessions["ses"].live
    assert upserts(ledger, -1) == [message, *events[1:4]]
    ledger.note(enveloped(events)[4:])
    assert upserts(ledger, 4) == [gone]
    assert upserts(ledger, -1) == [gone, events[3]]


def test_another_worker_gets_it_by_a_snapshot():
    envelopes = enveloped([BUSY, moved("a", 1), noted("a", "x"), moved("b", 1), removed("b")])
    ledger = Ledger()
    ledger.note(envelopes)
    data = snapshot.encode(ledger, "p1", "p1epoch", 5, 5)
    relay = Relay()
    relay.load(Cloned(snapshot.decode(data), []))
    relay.append([enveloped([noted("a", "y")] * 6)[5]])
    assert moved("a", 1, note="xy") in upserts(relay.ledgers["p1"], -1)
    assert removed("b") in upserts(relay.ledgers["p1"], 4)
