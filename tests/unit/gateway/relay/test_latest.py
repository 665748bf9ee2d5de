"""A look at where the latest events stand says the same as a look at every event."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.relay import Endpoint, Log, Relay, View
from gateway.relay.latest import subjects_of
from tests.envelopes import wrapped
from tests.histories import global_histories

BATCH = 7


def views(envelopes):
    """Yield every kind of filter, of what there is and of what there is not."""
    sessions = [*sorted({e.session for e in envelopes if e.session}), "ses_none"]
    filters = [frozenset(), *(frozenset({one}) for one in sessions), frozenset(sessions[-2:])]
    folders = [*sorted({e.directory for e in envelopes if e.directory}), "/none"]
    for chosen in filters:
        yield View(Endpoint.GLOBAL, sessions=chosen)
        for folder, workspace in product(folders, (None, "none")):
            yield View(Endpoint.INSTANCE, folder, workspace, chosen)
    yield View(Endpoint.INSTANCE, "/none", elsewhere=(("a source", folders[0]),))


def stepped(relay, cursor, view):
    """Return the head if nothing up to the head is for `view`, else where that begins."""
    while (step := relay.step(cursor, view)) is not None:
        if step.pieces:
            return cursor
        cursor = step.cursor
    return cursor


@settings(max_examples=40)
@given(global_histories(), st.integers(1, 60))
def test_what_is_passed_at_once_is_what_steps_would_pass(events, max_events):
    envelopes, relay, stands = wrapped(events), Relay(Log(max_events=max_events)), []
    for start in range(0, len(envelopes), BATCH):
        stands.append(relay.head)
        relay.append(envelopes[start : start + BATCH])
        relay.let_go(0.0)
    for cursor, view in product(stands[-4:], views(envelopes)):
        passed = relay.passed(cursor, view)
        if passed != cursor:
            assert cursor.position >= relay.log.tail
            assert passed == relay.head == stepped(relay, cursor, view)


@settings(max_examples=40)
@given(global_histories())
def test_news_that_do_not_concern_a_view_hold_nothing_that_it_admits(events):
    envelopes, relay = wrapped(events), Relay()
    every = list(views(envelopes))
    for start in range(0, len(envelopes), BATCH):
        some = envelopes[start : start + BATCH]
        relay.append(some)
        news = relay.news()
        admitting = {view for view in every if any(map(view.admits, some))}
        assert admitting <= {view for view in every if news.concerns(view)}
        subjects = set(news.subjects)
        by_subject = {view for view in every if not subjects.isdisjoint(subjects_of(view))}
        assert news.for_all or admitting <= by_subject
    assert not any(map(relay.news().concerns, every))
    assert not list(relay.news().subjects)


def test_what_is_new_of_one_session_does_not_concern_another():
    delta = {"type": "message.part.delta", "properties": {"sessionID": "ses_1", "delta": "x"}}
    relay = Relay()
    relay.append(wrapped([{"directory": "/d", "payload": delta}] * 3))
    news = relay.news()
    other, own = (View(Endpoint.GLOBAL, sessions=frozenset({one})) for one in ("ses_2", "ses_1"))
    assert (news.concerns(other), news.concerns(own)) == (False, True)
    elsewhere, there = (View(Endpoint.INSTANCE, directory=one) for one in ("/e", "/d"))
    assert (news.concerns(elsewhere), news.concerns(there)) == (False, True)


def test_a_lane_of_another_session_passes_over_an_answer_at_once():
    delta = {"type": "message.part.delta", "properties": {"sessionID": "ses_1", "delta": "x"}}
    relay = Relay()
    start = relay.head
    relay.append(wrapped([{"directory": "/d", "payload": delta}] * 3))
    other, own = (View(Endpoint.GLOBAL, sessions=frozenset({one})) for one in ("ses_2", "ses_1"))
    assert relay.passed(start, other) == relay.head
    assert relay.passed(start, own) == start
