"""The witness accepts what weir may say, and nothing else."""

import json

import pytest

from bus.sse import ServerSentEvent
from tests import traces
from tests.faults.place import Place
from tests.faults.witness import Broken, Witness

CONNECTED = {"type": "server.connected", "properties": {"resumed": False}}
HELLO = traces.closing_snapshot_in_place_of_the_opening_one().events
*OPENING, DELTA, LAST_DELTA, CLOSING = HELLO


def witness_of(*events, **how):
    """Return a witness of events with the ids e:1, e:2, …, on one connection."""
    witness = Witness(**how)
    witness.connect()
    for seq, event in enumerate((CONNECTED, *events)):
        take(witness, event, f"e:{seq}")
    return witness


def take(witness, event, event_id):
    return witness.take(ServerSentEvent(json.dumps(event).encode(), id=event_id))


def snapshot(text):
    part = CLOSING["properties"]["part"] | {"text": text}
    return CLOSING | {"properties": CLOSING["properties"] | {"part": part}}


def test_what_a_server_says_is_held():
    witness = witness_of(*HELLO)
    assert witness.text(traces.SESSION_ID) == "Hello"
    assert witness.last_event_id == f"e:{len(HELLO)}"
    assert witness.events == len(HELLO) + 1


def test_a_wrapped_event_is_unwrapped():
    witness = witness_of()
    assert take(witness, {"directory": "/x", "payload": OPENING[0]}, "e:1") == OPENING[0]


def test_a_stream_that_does_not_begin_with_connected_is_broken():
    witness = Witness()
    witness.connect()
    with pytest.raises(Broken, match="not first"):
        take(witness, OPENING[0], "e:1")


def test_a_delta_that_comes_again_after_a_resume_is_broken():
    witness = witness_of(*OPENING, DELTA)
    witness.connect()
    take(witness, CONNECTED, witness.last_event_id)
    with pytest.raises(Broken, match="once more"):
        take(witness, DELTA, witness.last_event_id)


def test_an_id_that_goes_back_is_broken():
    with pytest.raises(Broken, match="id e:1 after e:"):
        take(witness_of(*OPENING), CLOSING, "e:1")


def test_text_that_was_lost_is_noticed_by_the_next_snapshot():
    with pytest.raises(Broken, match="in place of what is held"):
        witness_of(*OPENING, LAST_DELTA, CLOSING)


def test_text_that_came_twice_is_noticed_by_the_next_snapshot():
    with pytest.raises(Broken, match="in place of what is held"):
        witness_of(*OPENING, DELTA, DELTA, LAST_DELTA, CLOSING)


def test_a_snapshot_that_goes_on_is_held():
    assert (
        witness_of(*OPENING, DELTA, snapshot("Hello you")).text(traces.SESSION_ID) == "Hello you"
    )


def test_a_snapshot_takes_text_back_only_where_a_processor_may_die():
    with pytest.raises(Broken):
        witness_of(*OPENING, DELTA, LAST_DELTA, snapshot("Hell"))
    witness = witness_of(*OPENING, DELTA, LAST_DELTA, snapshot("Hell"), may_take_back=True)
    assert witness.taken_back == 1
    with pytest.raises(Broken):
        witness_of(*OPENING, DELTA, LAST_DELTA, snapshot("Hexx"), may_take_back=True)


@pytest.mark.parametrize("event", [DELTA, CLOSING], ids=["delta", "part"])
def test_news_of_what_is_not_held_are_broken(event):
    with pytest.raises(Broken, match="that is not held"):
        witness_of(event)


def test_behind_an_upstream_they_are_dropped_until_their_message_comes():
    witness = witness_of(CLOSING, DELTA, may_miss=True)
    assert witness.text(traces.SESSION_ID) == ""
    with pytest.raises(Broken, match="in place of what is held"):
        witness_of(CLOSING, *OPENING, CLOSING, OPENING[-1], may_miss=True)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("", "a:1"),
        ("a:1", "a:2"),
        ("a:1-5.2", "a:1-5.3"),
        ("a:1-5.3", "a:5"),
        ("a:5", "a:5-7.1"),
        ("a:5,b:2", "a:5,b:3"),
        ("a:5", "a:5,b:1"),
        ("a:5", "b:1"),
    ],
)
def test_places_have_an_order(earlier, later):
    one, other = Place.parse(earlier), Place.parse(later)
    assert other.reaches(one)
    assert other.is_beyond(one)
    assert not one.is_beyond(other) or earlier == "a:5"  # nobody knows of two epochs alone


def test_what_is_no_id_is_refused():
    with pytest.raises(ValueError, match="is not an event id"):
        Place.parse("a:x")
