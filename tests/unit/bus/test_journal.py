"""The journal: within its bounds it repeats exactly what was published, past them it says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.journal import Forgotten, Journal
from tests.envelopes import enveloped

EVERYTHING = 10**9


def deltas(count):
    ids = {"sessionID": "s", "messageID": "m", "partID": "p", "field": "text"}
    return enveloped(
        {"type": "message.part.delta", "properties": {**ids, "delta": f"{n:04d}"}}
        for n in range(count)
    )


def journal_of(envelopes, **bounds):
    journal = Journal(**bounds)
    for envelope in envelopes:
        journal.append(envelope)
    return journal


@given(st.integers(1, 5000), st.integers(1, 3000), st.data())
def test_what_it_holds_it_repeats_exactly(count, bound, data):
    published = deltas(count)
    journal = journal_of(published, max_events=bound)
    assert len(journal) == min(count, bound)
    oldest = count - len(journal)
    after = data.draw(st.integers(0, count))
    if after < oldest:
        with pytest.raises(Forgotten):
            journal.after(after, EVERYTHING)
    else:
        assert journal.after(after, EVERYTHING) == published[after:]


def test_it_is_bounded_by_bytes():
    journal = journal_of(deltas(10_000), max_bytes=604 * 100)
    assert len(journal) == 100


def test_an_answer_is_bounded_but_never_empty_while_there_is_more():
    journal = journal_of(deltas(100))
    assert [e.seq for e in journal.after(10, 12)] == [11, 12, 13, 14]
    assert [e.seq for e in journal.after(10, 0)] == [11]
    assert journal.after(100, EVERYTHING) == []


def test_an_empty_journal_knows_nothing():
    with pytest.raises(Forgotten):
        Journal().after(0, EVERYTHING)
