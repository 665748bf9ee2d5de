"""Laws 1 to 5 of the relay, against the reference reducer, at every flush pattern."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import Delta, Policy, type_of
from gateway.relay.coalesce import coalesce
from gateway.relay.coalesce import coalesced as counted
from tests import recorded
from tests.envelopes import enveloped, raw
from tests.histories import flush_points, histories, runs
from tests.reference import State, fold

LAST_WORDS = ("session.idle", "session.status", "session.error", "message.updated")


@st.composite
def flushed_histories(draw):
    """A history, and the runs in which a reader gets it."""
    events = draw(histories())
    return runs(events, draw(flush_points(len(events))))


def coalesced(run, keep_superseded=False):
    return raw(coalesce(enveloped(run), keep_superseded))


@given(flushed_histories(), st.booleans())
def test_a_client_holds_the_same_state_at_every_flush(flushed, keep_superseded):
    plain, relayed = State(), State()
    for run in flushed:
        for event in run:
            plain.apply(event)
        for event in coalesced(run, keep_superseded):
            relayed.apply(event)
        assert relayed.view() == plain.view()


@pytest.mark.parametrize("name", recorded.scenarios())
@pytest.mark.parametrize("length", [1, 2, 7, 100, 10_000])
def test_a_recording_folds_to_the_same_state(name, length):
    events = recorded.events(name)
    state = State()
    for start in range(0, len(events), length):
        for event in coalesced(events[start : start + length]):
            state.apply(event)
    assert state.view() == fold(events).view()


@given(flushed_histories(), st.booleans())
def test_nothing_but_deltas_and_provisional_snapshots_is_dropped(flushed, keep_superseded):
    for run in flushed:
        must = [e.event for e in enveloped(run) if not _may_go(e.event)]
        got = [e.event for e in coalesce(enveloped(run), keep_superseded)]
        assert [event for event in got if not _may_go(event)] == must


@given(flushed_histories(), st.booleans())
def test_every_event_is_sent_merged_or_superseded_and_counted_once(flushed, keep_superseded):
    for run in map(enveloped, flushed):
        short = counted(run, keep_superseded)
        assert len(short.envelopes) + short.merged + short.superseded == len(run)
        assert min(short.merged, short.superseded, short.superseded_size) >= 0
        assert sum(map(_text, run)) == sum(map(_text, short.envelopes)) + short.superseded_size


def _text(envelope):
    """As `superseded_size` has it: characters of a delta, bytes of anything else."""
    event = envelope.event
    return len(event.delta) if isinstance(event, Delta) else event.size


def _may_go(event):
    is_latest = type_of(event.type).policy is Policy.LATEST
    return isinstance(event, Delta) or (is_latest and event.provisional)


@given(flushed_histories(), st.booleans())
def test_last_words_find_every_part_there_with_all_its_text(flushed, keep_superseded):
    """Text may come earlier than it was published, so a part may show more, never less."""
    plain = _parts_at_last_words(event for run in flushed for event in run)
    relayed = _parts_at_last_words(e for run in flushed for e in coalesced(run, keep_superseded))
    for before, after in zip(plain, relayed, strict=True):
        assert before.keys() == after.keys()
        for part, fields in before.items():
            for field, text in fields.items():
                assert after[part].get(field, "").startswith(text)


def _parts_at_last_words(events):
    """What the parts of its session show at each last word of that session."""
    state, seen = State(), []
    for event in events:
        state.apply(event)
        if event["type"] in LAST_WORDS:
            [envelope] = enveloped([event])
            seen.append(
                {
                    part["id"]: {f: part[f] for f in ("text", "note") if f in part}
                    for message in state.messages_of(envelope.session)
                    for part in message["parts"]
                }
            )
    return seen


@given(flushed_histories(), st.booleans())
def test_an_entity_is_made_before_all_else_about_it(flushed, keep_superseded):
    # A history is legal in this sense but for its early deltas: the relay must not add to them.
    known_plain, known_relayed = set(), set()
    for run in flushed:
        strays_plain = [stray for event in run for stray in _strays(event, known_plain)]
        relayed = coalesced(run, keep_superseded)
        strays_relayed = [stray for event in relayed for stray in _strays(event, known_relayed)]
        assert set(strays_relayed) <= set(strays_plain)


def _strays(event, known):
    """Yield what an event is about that the client does not hold; note what it brings."""
    properties, kind = event["properties"], event["type"]
    if kind == "message.updated":
        known.add(properties["info"]["id"])
    elif kind == "message.part.updated":
        if properties["part"]["messageID"] not in known:
            yield properties["part"]["messageID"]
        known.add(properties["part"]["id"])
    elif kind == "message.part.delta" and properties["partID"] not in known:
        yield properties["partID"]
    elif kind in ("message.removed", "message.part.removed"):
        gone = properties["partID" if kind == "message.part.removed" else "messageID"]
        if gone not in known:
            yield gone
        known.discard(gone)


@given(flushed_histories())
def test_coalescing_again_changes_nothing(flushed):
    for run in flushed:
        once = coalesce(enveloped(run))
        assert coalesce(once) == once


@given(flushed_histories())
def test_kept_deltas_alone_hold_all_the_text_that_deltas_brought(flushed):
    for run in flushed:
        assert _delta_text(coalesced(run, keep_superseded=True)) == _delta_text(run)


def _delta_text(run):
    text = {}
    for event in run:
        if event["type"] == "message.part.delta":
            key = event["properties"]["partID"], event["properties"]["field"]
            text[key] = text.get(key, "") + event["properties"]["delta"]
    return {key: value for key, value in text.items() if value}
