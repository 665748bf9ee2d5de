"""A reader that begins now is told of nothing that was before it came."""

import pytest

from gateway.relay import Endpoint, FellOff, ResumeVerdict, View, enter, go_on
from gateway.relay.mark import event_id
from tests.envelopes import deliveries, enveloped, instance
from tests.events import delta, part, status
from tests.unit.gateway.relay.entering import NOW, cloned, relay_of, told, wires

BOTH = pytest.mark.parametrize("view", [instance(), View(Endpoint.GLOBAL)])
BEFORE = [part("a"), status("busy"), delta("b")]


@BOTH
def test_a_reader_that_begins_now_is_told_of_nothing_even_of_a_turn_that_runs(view):
    relay = relay_of(enveloped(BEFORE))
    assert told(enter(relay, None, view, NOW), view)
    entrance = enter(relay, None, view, NOW, from_now=True)
    assert told(entrance, view) == []
    assert (entrance.verdict, entrance.resumed) == (ResumeVerdict.FRESH, False)
    assert entrance.id == event_id(relay.head.marks, view)


@BOTH
def test_a_reader_that_begins_now_gets_what_happens_next(view):
    events = enveloped([*BEFORE, status("idle")])
    relay = relay_of(events[:3])
    entrance = enter(relay, None, view, NOW, from_now=True)
    relay.append(events[3:])
    [step] = deliveries(relay, entrance.cursor, view)
    [event] = wires(step)
    assert event.get("payload", event) == status("idle")


def test_an_id_goes_before_now():
    relay = relay_of(enveloped(BEFORE))
    entrance = enter(relay, "p1epoch:2", instance(), NOW, from_now=True)
    assert entrance.verdict is ResumeVerdict.EXACT
    [step] = deliveries(relay, entrance.cursor, instance())
    assert wires(step) == [delta("b")]


@BOTH
def test_of_a_source_that_joins_late_only_what_has_happened_since_is_told(view):
    relay = relay_of(enveloped([part("a")]))
    late = enveloped([status("busy"), part("b"), status("retry")], source="p2")
    came_in = enter(relay, None, view, NOW, from_now=True)
    relay.load(cloned(late, 0))
    with pytest.raises(FellOff):
        relay.step(came_in.cursor, view)
    since_ns = late[2].time_ns
    since = go_on(relay, came_in.cursor.marks, None, view, since_ns, from_now=True)
    assert len(told(since, view)) == 1
    after = go_on(relay, came_in.cursor.marks, None, view, since_ns + 1, from_now=True)
    assert told(after, view) == []
