"""Coming in: a stream goes on exactly where it was cut, on any worker, or is made whole."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.relay import Cursor, Endpoint, FellOff, Relay, ResumeVerdict, View, enter, go_on
from gateway.relay.relay import EPOCHS_OF_A_SOURCE
from tests.envelopes import deliveries, enveloped, instance, raw
from tests.events import about, delta, part, status
from tests.histories import histories
from tests.reference import fold, state
from tests.unit.gateway.relay.entering import (
    NOW,
    clone_of,
    cloned,
    relay_of,
    rest_of_stream,
    told,
    wires,
)

VIEWS = st.builds(instance, keep_superseded=st.booleans())


@given(histories(), VIEWS, st.integers(0), st.integers(0))
def test_a_cut_anywhere_changes_nothing(events, view, start, cut):
    """The reader has begun anywhere, so its runs begin elsewhere than the other worker's."""
    envelopes = enveloped(events)
    mine = relay_of(envelopes)
    begun = Cursor(start % (len(envelopes) + 1))
    got = [e for step in deliveries(mine, begun, view) for e in step]
    if not got:
        return
    cut = 1 + cut % len(got)
    entrance, after = rest_of_stream(clone_of(envelopes, 0), got[cut - 1].id, view)
    assert entrance.resumed
    assert wires(after) == wires(got[cut:])


SESSIONS = frozenset({"ses_0", "ses_1"})
FILTERS = [frozenset[str](), frozenset({"ses_0"}), frozenset({"ses_1"})]


def of_two_sessions():
    """Two sessions that talk at once, each of a part of its own."""
    for text in "abc":
        for session in sorted(SESSIONS):
            for event in (part(text), delta("d"), status("busy"), delta("e"), status("idle")):
                named = json.dumps(event).replace('"ses"', f'"{session}"')
                yield json.loads(named.replace('"prt"', f'"prt_{session}"'))


@pytest.mark.parametrize("then", FILTERS)
@pytest.mark.parametrize("before", FILTERS)
def test_who_comes_back_with_another_filter_misses_and_doubles_nothing(before, then):
    """Up to the run that was cut, the reader knows all; in it, what its filter let through."""
    events = list(of_two_sessions())
    envelopes = enveloped(events)
    mine, other = relay_of(envelopes), clone_of(envelopes, 0)
    through = (before or SESSIONS) & (then or SESSIONS)
    for begun in range(len(envelopes)):
        got = next(deliveries(mine, Cursor(begun), instance(sessions=before)))
        for cut, event in enumerate(got, start=1):
            _, after = rest_of_stream(other, event.id, instance(sessions=then))
            told = [*events[:begun], *wires(got[:cut]), *wires(after)]
            assert of_sessions(told, through) == of_sessions(events, through)


def of_sessions(events, sessions):
    """What a client holds of some sessions."""
    return state(
        [e for e, one in zip(events, enveloped(events), strict=True) if one.session in sessions]
    )


WEAVES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@given(histories(), VIEWS, WEAVES, WEAVES, st.integers(0))
def test_two_sources_may_be_woven_differently_elsewhere(events, view, here, there, cut):
    sides = [[], []]
    for event in events:
        sides["ses_0" in json.dumps(event)].append(event)
    sources = enveloped(sides[0], source="p1"), enveloped(sides[1], source="p2")
    mine, other = (relay_of(*_woven(*sources, weave)) for weave in (here, there))
    got = [e for step in deliveries(mine, Cursor(0), view) for e in step]
    if not got:
        return
    cut = 1 + cut % len(got)
    entrance, after = rest_of_stream(other, got[cut - 1].id, view)
    whole = fold(wires(got[:cut]) + wires(after)).view()
    expected = fold(wires(got)).view()
    if entrance.resumed:
        assert _unordered(whole) == _unordered(expected)
    else:  # the id was given before one of the sources was heard of
        assert (whole["messages"], whole["parts"]) == (expected["messages"], expected["parts"])


def _woven(first, second, weave):
    """Weave two sources, each in its own order."""
    sides, woven, counts = [list(first), list(second)], [], itertools.cycle(weave)
    while any(sides):
        count = next(counts)
        woven.append(sides[0][:count])
        del sides[0][:count]
        sides.reverse()
    return woven


def _unordered(view):
    return {**view, "others": sorted(map(json.dumps, view["others"]))}


@given(histories(), st.data())
def test_who_has_missed_more_than_the_log_holds_is_made_whole(events, data):
    envelopes = enveloped(events)
    if not envelopes:
        return
    seen = data.draw(st.integers(0, len(envelopes)))
    other = clone_of(envelopes, data.draw(st.integers(seen, len(envelopes))))
    entrance, after = rest_of_stream(other, f"p1epoch:{seen}", instance())
    assert entrance.verdict in (ResumeVerdict.EXACT, ResumeVerdict.CAUGHT_UP)
    assert state(events[:seen] + wires(after)) == state(events)


@given(histories(), st.integers(0), st.integers(0), st.integers(0))
def test_a_cut_among_upserts_changes_nothing(events, seen, back, cut):
    envelopes = enveloped(events)
    back = 1 + back % len(envelopes)
    seen %= back + 1
    view = instance()
    here = clone_of(envelopes[:back], back)
    _, told_first = rest_of_stream(here, f"p1epoch:{seen}", view)
    cut %= len(told_first) + 1
    heard = told_first[:cut]
    last_id = heard[-1].id if heard else f"p1epoch:{seen}"
    _, after = rest_of_stream(clone_of(envelopes, len(envelopes)), last_id, view)
    assert state(events[:seen] + wires(heard) + wires(after)) == state(events)


@given(st.text() | st.from_regex(r"[a-z0-9]{1,3}:\d{1,3}([-~]\d{1,3})?(\.\d{1,2})?(,b:1)?"))
def test_no_id_is_an_error(last_id):
    relay = relay_of(enveloped([part("a"), delta("b"), status("busy")]))
    entrance, after = rest_of_stream(relay, last_id, View(Endpoint.GLOBAL))
    if entrance.verdict in (ResumeVerdict.MALFORMED, ResumeVerdict.FOREIGN):
        assert fold(e["payload"] for e in wires(after)).view()["status"]


@pytest.mark.parametrize(
    "last_id",
    ["p1epoch:0-2.3", "p1epoch:3-2.1", "p1epoch:1-2", "p1epoch:x", "p1epoch:1-8194.0"],
)
def test_an_impossible_run_is_malformed(last_id):
    relay = relay_of(enveloped([part("a"), *[delta("b")] * 9000, status("busy")]))
    assert enter(relay, last_id, instance(), NOW).verdict is ResumeVerdict.MALFORMED


def test_only_the_last_upsert_says_that_all_is_known():
    events = [part("a"), delta("b"), status("busy")]
    relay = clone_of(enveloped(events), 3)
    entrance, got = rest_of_stream(relay, "p0epoch:7", instance())
    assert (entrance.verdict, entrance.id) == (ResumeVerdict.FOREIGN, "")
    assert [event.id for event in got] == ["p1epoch:0~3", "p1epoch:3"]
    assert fold(wires(got)).view() == fold(events).view()


def test_a_place_that_is_yet_to_come_is_worth_waiting_for():
    relay = relay_of(enveloped([part("a")]))
    assert enter(relay, "p1epoch:2", instance(), NOW).verdict is ResumeVerdict.AHEAD
    assert enter(Relay(), "p1epoch:2", instance(), NOW).verdict is ResumeVerdict.AHEAD


def test_an_epoch_that_is_over_goes_on_in_the_next():
    old = enveloped([part("a"), delta("b")])
    new = [replace(e, epoch="p1later") for e in enveloped([delta("c"), status("idle")])]
    relay = relay_of(old, new)
    for last_id, text in (("p1epoch:1", "bc"), ("p1epoch:2", "c"), ("p1epoch:9", "c")):
        entrance, got = rest_of_stream(relay, last_id, instance())
        said = [e["properties"].get("delta", "") for e in wires(got)]
        assert entrance.resumed
        assert "".join(said) == text


@given(histories(), st.data())
def test_who_fell_off_the_log_in_an_epoch_that_is_over_is_made_whole(events, data):
    seen = data.draw(st.integers(0, len(events)))
    ends = data.draw(st.integers(seen, len(events)))
    new = enveloped([status("busy"), *events[ends:], status("idle")])
    relay = relay_of(enveloped(events)[:ends], [replace(e, epoch="p1later") for e in new])
    relay.log.restart()
    entrance, got = rest_of_stream(relay, f"p1epoch:{seen}", instance())
    assert entrance.verdict is ResumeVerdict.FOREIGN
    whole = [status("idle"), *events[:seen], *wires(got)]
    assert state(whole) == state([*events, status("idle")])


def test_who_goes_on_in_an_epoch_is_not_told_again_of_the_one_before():
    old = enveloped([part("a"), delta("b")])
    new = [replace(e, epoch="p1later") for e in enveloped([delta("c"), delta("d"), delta("e")])]
    other = enveloped([status("busy")], source="p2")
    relay = relay_of(old, other, new)
    for seq, text in ((0, "cde"), (1, "de"), (2, "e"), (3, "")):
        entrance, got = rest_of_stream(relay, f"p1later:{seq},p2epoch:1", instance())
        assert entrance.resumed
        assert "".join(e["properties"]["delta"] for e in wires(got)) == text


def test_an_epoch_that_is_over_for_long_is_forgotten_and_who_names_it_is_told_all():
    first = enveloped([part("a"), status("idle")], source="p2")
    relay = relay_of(first)
    for number in range(EPOCHS_OF_A_SOURCE + 1):
        [event] = enveloped([part("a")])
        relay.append([replace(event, epoch=f"{number:x}p1")])
    assert len(relay.sources) == EPOCHS_OF_A_SOURCE + 1
    known, got = rest_of_stream(relay, "1p1:1,p2epoch:2", instance())
    assert (known.verdict, len(got)) == (ResumeVerdict.EXACT, EPOCHS_OF_A_SOURCE - 1)
    forgotten, got = rest_of_stream(relay, "0p1:1,p2epoch:2", instance())
    assert forgotten.verdict is ResumeVerdict.FOREIGN
    assert wires(got) == [part("a")]


def test_a_fresh_reader_of_the_instance_hears_of_nothing_that_is_over():
    over = [part("a", time={"start": 1, "end": 2}), status("idle")]
    relay = relay_of(enveloped(over))
    assert told(enter(relay, None, instance(), NOW), instance()) == []
    whole = View(Endpoint.GLOBAL)
    assert len(told(enter(relay, None, whole, NOW), whole)) == 2
    assert told(enter(relay, None, whole, NOW * 100), whole) == []


def test_one_who_comes_in_mid_text_has_it_from_its_start():
    events = [part(""), status("busy"), *(delta(c) for c in "abc")]
    relay = relay_of(enveloped(events))
    entrance, got = rest_of_stream(relay, None, instance())
    assert not entrance.resumed
    assert wires(got)[0]["properties"]["part"]["text"] == "abc"


def test_the_filter_of_a_reader_holds_for_upserts_too():
    relay = clone_of(enveloped([part("a"), status("busy")]), 2)
    for view in (instance(sessions=frozenset({"other"})), View(Endpoint.INSTANCE, "/elsewhere")):
        assert told(enter(relay, "x:1", view, NOW), view) == []


@given(histories(), VIEWS, st.data())
def test_one_who_is_told_from_an_older_place_than_its_own_has_nothing_twice(events, view, data):
    to = data.draw(st.integers(2, len(events)))
    behind = data.draw(st.integers(1, to - 1))
    envelopes = enveloped(events)
    relay = relay_of(envelopes[:behind])
    entrance = enter(relay, f"p1epoch:{to}", view, NOW)
    assert (entrance.verdict, entrance.resumed) == (ResumeVerdict.AHEAD, False)
    first = wires(told(entrance, view))
    relay.append(envelopes[behind:])
    rest = [e for step in deliveries(relay, entrance.cursor, view) for e in step]
    assert state([*events[:to], *first, *wires(rest)]) == state(events)


@given(histories(), VIEWS, st.data())
def test_a_reader_that_came_where_nothing_was_known_goes_on_after_its_id(events, view, data):
    to = data.draw(st.integers(1, len(events)))
    last_id = f"p1epoch:{to}"
    relay = Relay()
    entrance = enter(relay, last_id, view, NOW)
    assert (entrance.verdict, told(entrance, view)) == (ResumeVerdict.AHEAD, [])
    assert relay.step(entrance.cursor, view) is None
    relay.append(enveloped(events))
    with pytest.raises(FellOff):
        relay.step(entrance.cursor, view)
    entrance = go_on(relay, entrance.cursor.marks, last_id, view, NOW)
    assert entrance.resumed
    rest = [e for step in deliveries(relay, entrance.cursor, view) for e in step]
    assert state([*events[:to], *wires(told(entrance, view)), *wires(rest)]) == state(events)


def restarted(envelopes):
    return [replace(one, epoch="later") for one in envelopes]


def test_who_stood_in_an_epoch_that_a_snapshot_has_ended_is_not_taken_for_whole():
    relay = relay_of(enveloped([part("a"), delta("b")]))
    relay.load(cloned(restarted(enveloped([status("idle")])), 0))
    entrance = go_on(relay, relay_of(MINE).head.marks, None, instance(), NOW)
    assert entrance.verdict is ResumeVerdict.FOREIGN


@pytest.mark.parametrize(
    ("view", "verdict"),
    [
        (instance(), ResumeVerdict.FOREIGN),
        (View(Endpoint.GLOBAL), ResumeVerdict.FOREIGN),
        (View(Endpoint.INSTANCE, "/elsewhere"), ResumeVerdict.CAUGHT_UP),
        (View(Endpoint.GLOBAL, sessions=frozenset({"ses_2"})), ResumeVerdict.CAUGHT_UP),
        (View(Endpoint.GLOBAL, sessions=frozenset({"ses_2", "ses"})), ResumeVerdict.FOREIGN),
    ],
)
def test_what_one_source_has_lost_is_nothing_to_who_does_not_follow_it(view, verdict):
    other = about("session.status", sessionID="ses_2", status={"type": "busy"})
    relay = relay_of(MINE, enveloped([other, other], source="p2", directory="/elsewhere"))
    marks = relay.head.marks
    relay.load(cloned(restarted(enveloped([status("idle")])), 0))
    assert go_on(relay, marks, None, view, NOW).verdict is verdict


def test_what_a_worker_knows_to_be_gone_outlives_a_snapshot_of_a_later_epoch():
    created = about("session.created", info={"id": "ses"})
    removed = about("message.part.removed", messageID="msg", partID="prt")
    relay = relay_of(enveloped([created, part("x"), removed]))
    relay.load(cloned(restarted(enveloped([status("idle")])), 0))
    _, got = rest_of_stream(relay, "p1epoch:2", instance())
    assert removed in wires(got)
    relay.load(cloned(restarted(enveloped([status("busy"), part("again")])), 0))
    _, got = rest_of_stream(relay, "p1epoch:2", instance())
    assert removed not in wires(got)


MINE = enveloped([part("a"), delta("b"), delta("c")])
LATE = enveloped([status("busy"), status("retry"), status("idle")], source="p2")


def joined_late(last_id, view):
    """A reader that came in before a source joined; what it was told first, and how it goes on."""
    relay = relay_of(MINE)
    came_in = enter(relay, last_id, view, NOW)
    relay.load(cloned(LATE, 0))
    with pytest.raises(FellOff):
        relay.step(came_in.cursor, view)
    return (
        came_in,
        relay,
        lambda came_ns: go_on(relay, came_in.cursor.marks, last_id, view, came_ns),
    )


@pytest.mark.parametrize(("seq", "missed"), [(0, 3), (1, 2), (3, 0)])
def test_who_stood_in_a_source_that_joins_late_goes_on_there_exactly(seq, missed):
    came_in, relay, go_on_at = joined_late(f"p1epoch:2,p2epoch:{seq}", instance())
    assert came_in.resumed
    entrance = go_on_at(NOW)
    assert entrance.verdict is ResumeVerdict.EXACT
    got = [e for step in deliveries(relay, entrance.cursor, instance()) for e in step]
    assert wires(got) == [*raw(MINE[2:]), *raw(LATE)[seq:]][-missed - 1 :]


def test_what_the_log_holds_of_others_outlives_a_snapshot():
    relay = relay_of(MINE)
    relay.load(cloned(LATE, 3))
    entrance, got = rest_of_stream(relay, "p1epoch:1,p2epoch:3", instance())
    assert entrance.resumed
    assert [e["properties"]["delta"] for e in wires(got)] == ["bc"]


def test_who_names_no_place_in_a_source_that_joins_late_is_told_all_of_it():
    _, _, go_on_at = joined_late("p1epoch:3", instance())
    entrance = go_on_at(NOW)
    assert (entrance.verdict, entrance.unsure_id) == (
        ResumeVerdict.CAUGHT_UP,
        "p1epoch:3~3,p2epoch:0~3",
    )
    assert wires(told(entrance, instance())) == raw(LATE[2:])


def test_who_came_without_an_id_is_told_what_changed_since_in_a_source_that_joins_late():
    for view, lately_ns in ((instance(), 0), (View(Endpoint.GLOBAL), 60 * NOW)):
        _, _, go_on_at = joined_late(None, view)
        since = LATE[2].time_ns + lately_ns
        assert len(told(go_on_at(since), view)) == 1
        assert told(go_on_at(since + 1), view) == []


def test_who_may_know_what_is_gone_is_told_that_too():
    created = about("session.created", info={"id": "ses"})
    removed = about("message.part.removed", messageID="msg", partID="prt")
    relay = relay_of(MINE)
    relay.load(cloned(enveloped([created, part("x"), removed], source="p2"), 3))
    _, got = rest_of_stream(relay, "p1epoch:3", instance())
    assert removed in wires(got)
