from hypothesis import given
from hypothesis import strategies as st

from bus import json
from bus.events.decode import from_json
from gateway.bridge.mirror import Mirror
from tests import events
from tests.unit.gateway.bridge.sources import published, stored


def held(ledger):
    return [upsert.texts() for upsert in ledger.changed(-1)]


@given(
    st.lists(st.text(max_size=3), max_size=20),
    st.lists(st.text(max_size=3), max_size=20),
    st.integers(0, 30),
)
def test_a_mirror_of_any_snapshot_and_the_events_around_it_is_the_publishers_state(
    before, after, kept
):
    publisher = published(before)
    early = stored(publisher)
    for text in after:
        publisher.publish(from_json(json.encode(events.delta(text))))
    envelopes = list(publisher.journal.envelopes())
    # Redis has dropped the oldest entries, but none after the snapshot.
    mirror = Mirror(early, envelopes[min(kept, early.seq) :])
    assert (mirror.seq, mirror.epoch) == (publisher.seq, publisher.epoch)
    assert held(mirror.ledger) == held(publisher.ledger)
    kept_seqs = [envelope.seq for envelope in mirror.journal.envelopes()]
    assert kept_seqs == list(range(mirror.journal.tail, publisher.seq + 1))


def test_events_that_are_known_are_left_out_and_a_gap_is_refused():
    publisher = published("abc")
    mirror = Mirror(stored(publisher), [])
    envelopes = list(publisher.journal.envelopes())
    assert mirror.take(envelopes)
    assert mirror.seq == 4
    publisher.publish(from_json(json.encode(events.delta("d"))))
    publisher.publish(from_json(json.encode(events.delta("e"))))
    fifth, sixth = list(publisher.journal.envelopes())[-2:]
    assert not mirror.take([sixth])
    assert mirror.take([*envelopes, fifth, sixth])
    assert held(mirror.ledger) == [{"text": "abcde"}]


def test_another_epoch_is_refused():
    mirror = Mirror(stored(published("")), [])
    assert not mirror.take(published("ab").journal.run(2).envelopes)
