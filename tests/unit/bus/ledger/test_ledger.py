"""The ledger's laws: whoever is brought up to date by it holds what all events would have told."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.events import from_json
from bus.ledger import Ledger, snapshot
from tests import recorded
from tests.envelopes import enveloped, raw, wrapped
from tests.events import about, delta, part, status
from tests.histories import histories
from tests.reference import state


def told(ledger, envelopes):
    ledger.note(envelopes)
    return ledger


def upserts(found):
    return [json.loads(upsert.envelope().event.json()) for upsert in found]


def moved(ledger):
    """The same ledger at the other end of the bus."""
    data = snapshot.encode(ledger, "p1", ledger.epoch, ledger.seq, 0)
    return snapshot.decode(data).ledger(ledger.max_bytes)


@given(histories(), st.data())
def test_a_reader_who_missed_any_stretch_is_made_whole(events, data):
    cut = data.draw(st.integers(0, len(events)))
    back = data.draw(st.integers(cut, len(events)))
    ledger = told(Ledger(), enveloped(events)[:back])
    missed = upserts(ledger.changed(cut))
    whole = events[:cut] + missed + events[back:]
    assert state(whole) == state(events)


def test_an_event_that_is_no_json_stops_nobody_from_being_made_whole():
    ids = {"sessionID": "ses_1", "id": "prt_1", "messageID": "msg_1"}
    part = {"type": "message.part.updated", "properties": {"part": ids | {"type": "text"}}}
    made = {"type": "session.created", "properties": {"info": {"id": "ses_1"}}}
    delta = {"type": "message.part.delta", "properties": {"sessionID": "ses_1", "delta": "x"}}
    delta["properties"] |= {"messageID": "msg_1", "partID": "prt_1", "field": "text"}
    broken = [
        replace(one, event=replace(one.event, payload=b"{")) for one in enveloped([made, part])
    ]
    ledger = told(Ledger(), [*broken, replace(enveloped([delta])[0], seq=3)])
    assert [one.envelope().event.payload for one in ledger.changed(-1)] == [b"{", b"{"]


def test_one_huge_entity_is_forgotten_and_no_other_for_it():
    ids = {"sessionID": "ses_1", "id": "ses_1"}
    small = {"type": "session.updated", "properties": {"sessionID": "ses_1", "info": ids}}
    huge = {"type": "todo.updated", "properties": {"sessionID": "ses_2", "todos": ["x" * 60_000]}}
    ledger = told(Ledger(max_bytes=100_000), enveloped([small, huge]))
    assert upserts(ledger.changed(-1)) == [small]
    assert ledger.floor == 2
    assert ledger.size < 10_000


@given(histories(), st.data())
def test_a_reader_who_missed_the_beginning_of_an_epoch_is_made_whole(events, data):
    cut = data.draw(st.integers(0, len(events)))
    ends = data.draw(st.integers(cut, len(events)))
    back = data.draw(st.integers(ends + 1, len(events) + 1))
    ledger = told(Ledger(), enveloped(events)[:ends])
    said_first = about("session.idle")
    told(ledger, enveloped([said_first, *events[ends : back - 1]], source="p2"))
    missed = upserts(ledger.changed(-1))
    assert state(events[:cut] + missed + events[back - 1 :]) == state(events)


@given(histories(), st.integers(0))
def test_one_who_comes_late_holds_what_all_others_hold(events, back):
    back %= len(events) + 1
    ledger = told(Ledger(), enveloped(events)[:back])
    assert state(upserts(ledger.changed(-1)) + events[back:]) == state(events)


@given(histories(), st.data())
def test_a_snapshot_makes_the_same_ledger_elsewhere(events, data):
    envelopes = enveloped(events)
    back = data.draw(st.integers(0, len(events)))
    after = data.draw(st.integers(-1, len(events)))
    ledger = told(Ledger(), envelopes[:back])
    twin = moved(ledger)
    assert (twin.seq, twin.floor) == (ledger.seq, ledger.floor)
    told(ledger, envelopes[back:])
    told(twin, envelopes[back:])
    assert upserts(twin.changed(after)) == upserts(ledger.changed(after))
    assert twin.size == ledger.size


@given(histories(), st.data())
def test_upserts_mean_the_moment_they_were_made_at(events, data):
    envelopes = enveloped(events)
    back = data.draw(st.integers(0, len(events)))
    ledger = told(Ledger(), envelopes[:back])
    at_once = upserts(ledger.changed(-1))
    kept = list(ledger.changed(-1))
    told(ledger, envelopes[back:])
    assert upserts(kept) == at_once


@given(histories(), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_how_events_arrive_is_no_matter(events, batches):
    at_once, piecemeal = told(Ledger(), enveloped(events)), Ledger()
    left = enveloped(events)
    for batch in batches * len(events):
        piecemeal.note(left[:batch])
        left = left[batch:]
    assert upserts(piecemeal.changed(-1)) == upserts(at_once.changed(-1))
    assert (piecemeal.seq, piecemeal.size) == (at_once.seq, at_once.size)


@given(histories(), st.data())
def test_small_bounds_are_kept_and_what_was_forgotten_is_owned_up_to(events, data):
    ledger = told(Ledger(max_bytes=6000), enveloped(events))
    assert ledger.size <= 6000
    after = data.draw(st.integers(ledger.floor, len(events)))
    known = events[:after]
    assert state(known + upserts(ledger.changed(after))) == state(events)


@pytest.mark.parametrize("name", recorded.scenarios())
def test_the_ledger_of_a_recording_has_what_its_events_told(name):
    wire = recorded.global_events(name)
    ledger = told(Ledger(), wrapped(wire))
    plain = [event["payload"] for event in wire if event["payload"]["type"] != "sync"]
    assert state(upserts(ledger.changed(-1))) == state(plain)


def test_a_part_that_grew_is_told_whole_under_the_id_of_its_last_delta():
    ledger = told(Ledger(), enveloped([part("a", extra=[1]), delta("b"), delta("c", 3)]))
    [upsert] = upserts(ledger.changed(0))
    assert upsert == {**part("abc", extra=[1]), "id": "evt_3"}


def test_a_snapshot_without_its_part_tells_nothing_that_could_grow():
    empty = about("message.part.updated", messageID="msg", partID="prt")
    assert upserts(told(Ledger(), enveloped([empty, delta("b")])).changed(-1)) == []


def test_half_a_surrogate_pair_survives_growth_and_the_trip():
    half = from_json(json.dumps(delta("\ud83c")).encode())
    first, second = enveloped([part("a"), delta("b")])
    ledger = told(Ledger(), [first, replace(second, event=half)])
    for one in (ledger, moved(ledger)):
        assert upserts(one.changed(0))[0]["properties"]["part"]["text"] == "a\ud83c"


def test_readers_share_what_they_are_told_until_it_changes():
    """Thousands of readers may be brought up to date at once, and be slow to read."""
    first, second, third = enveloped([part("a"), delta("b"), delta("c", 3)])
    ledger = told(Ledger(), [first, second])
    one, other = list(ledger.changed(-1)), list(ledger.changed(-1))
    assert [id(upsert) for upsert in one] == [id(upsert) for upsert in other]
    then = upserts(ledger.changed(-1))
    told(ledger, [third])
    assert upserts(one) == then
    assert upserts(ledger.changed(-1)) != then
    told(ledger, enveloped([part("d")] * 4)[3:])
    assert upserts(ledger.changed(-1)) == [part("d")]
    assert upserts(one) == then


def test_text_grows_past_many_pieces():
    ledger = told(Ledger(), enveloped([part(""), *(delta("x") for _ in range(10_000))]))
    kept = next(ledger.changed(0))
    told(ledger, enveloped([part("")] + [delta("y")] * 10_001)[10_001:])
    assert json.loads(kept.envelope().event.json())["properties"]["part"]["text"] == "x" * 10_000
    assert upserts(ledger.changed(0))[0]["properties"]["part"]["text"] == "x" * 10_000 + "y"


def test_only_who_knew_an_entity_is_told_that_it_is_gone():
    asked = about("permission.asked", id="per", permission="bash")
    replied = about("permission.replied", requestID="per", reply="once")
    created = about("session.created", info={"id": "ses"})
    ledger = told(Ledger(), enveloped([created, asked, status("busy"), replied]))
    assert replied in upserts(ledger.changed(2))
    assert replied not in upserts(ledger.changed(1))
    assert replied not in upserts(ledger.changed(4))
    assert replied not in upserts(ledger.recent(0, live_only=False))


def test_who_stands_in_an_epoch_is_not_told_what_was_gone_before_it():
    removed = about("message.removed", messageID="msg")
    created = about("session.created", info={"id": "ses"})
    ledger = told(Ledger(), enveloped([created, removed]))
    told(ledger, enveloped([status("busy")], source="p2"))
    for one in (ledger, moved(ledger)):
        assert upserts(one.changed(-1))[0] == removed
        assert removed not in upserts(one.changed(0))


def test_what_came_back_is_not_told_gone_when_it_is_forgotten():
    message = about("message.updated", info={"id": "msg", "sessionID": "ses", "role": "user"})
    removed = about("message.removed", messageID="msg")
    ledger = told(Ledger(rest_s=1), enveloped([message, removed, message]))
    [later] = enveloped([{"type": "todo.updated", "properties": {"sessionID": "b", "todos": []}}])
    ledger.note([replace(later, seq=4, time_ns=20_000_000_000)])
    assert "ses" not in ledger.sessions
    assert removed not in upserts(ledger.changed(1))


def test_what_comes_back_after_its_end_is_told_after_it():
    message = about("message.updated", info={"id": "msg", "sessionID": "ses", "role": "user"})
    removed = about("message.removed", messageID="msg")
    ledger = told(Ledger(), enveloped([message, part("old"), removed, message]))
    assert upserts(ledger.changed(2)) == [removed, message]


def test_another_epoch_makes_all_older_than_its_first_event():
    ledger = told(Ledger(), enveloped([part("a"), delta("b")]))
    told(ledger, enveloped([status("busy")], source="p2"))
    assert upserts(ledger.changed(0)) == [status("busy")]
    assert len(upserts(ledger.changed(-1))) == 2


def test_one_who_begins_is_spared_what_is_over():
    ledger = told(Ledger(), enveloped([part("a", time={"start": 1, "end": 2}), status("idle")]))
    assert upserts(ledger.recent(0, live_only=True)) == []
    assert upserts(ledger.recent(3, live_only=False)) == []
    assert len(upserts(ledger.recent(1, live_only=False))) == 2


def test_a_session_at_rest_is_forgotten_in_time():
    ledger = told(Ledger(rest_s=1), enveloped([status("idle")]))
    [later] = enveloped([{"type": "todo.updated", "properties": {"sessionID": "b", "todos": []}}])
    ledger.note([replace(later, seq=2, time_ns=20_000_000_000)])
    assert list(ledger.sessions) == ["b"]
    assert ledger.floor == 1


def test_raw_events_are_left_as_they_came():
    events = [status("busy"), part("a")]
    envelopes = enveloped(events)
    assert upserts(told(Ledger(), envelopes).changed(0))[0] == raw(envelopes)[1]
