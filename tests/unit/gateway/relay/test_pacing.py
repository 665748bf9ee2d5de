"""How long further deltas of a text are held back."""

import pytest

from gateway.relay import Relay
from gateway.relay.pacing import MAX_AGE_S, PER_CHARACTER_S, Pace
from tests.envelopes import enveloped, instance
from tests.events import delta, status

LEAST_S = 1 / 30


def step(*events):
    relay = Relay()
    begin = relay.head
    relay.append(enveloped(events))
    return relay.step(begin, instance())


def test_without_a_pace_nothing_is_held_back():
    pace = Pace(0.0)
    pace.note(step(delta("x" * 100_000)), now=5.0)
    assert pace.held_back_s(5.0) <= 0


@pytest.mark.parametrize(
    ("length", "seconds"),
    [(1, LEAST_S), (8000, LEAST_S), (20_000, 20_000 * PER_CHARACTER_S), (1_000_000, MAX_AGE_S)],
)
def test_deltas_are_held_back_for_as_long_as_the_text_asks_for(length, seconds):
    pace = Pace(LEAST_S)
    pace.note(step(delta("x" * (length - length // 2))), now=1.0)
    pace.note(step(delta("x" * (length // 2)) if length > 1 else delta("")), now=5.0)
    assert pace.held_back_s(5.0) == pytest.approx(seconds)
    assert pace.held_back_s(5.0 + seconds) <= 1e-9


def test_what_holds_no_delta_changes_no_pace():
    pace = Pace(LEAST_S)
    pace.note(step(status("idle")), now=5.0)
    assert pace.held_back_s(5.0) <= 0


def test_only_further_deltas_are_known():
    relay, pace = Relay(), Pace(LEAST_S)
    relay.append(enveloped([delta("first")]))
    assert not relay.adds_only_to(pace.known, 0, instance())
    pace.note(step(delta("first")), now=0.0)
    assert relay.adds_only_to(pace.known, 0, instance())
    relay.append(enveloped([status("idle")]))
    assert not relay.adds_only_to(pace.known, 0, instance())
    assert relay.adds_only_to(pace.known, 0, instance(sessions=frozenset({"ses_elsewhere"})))
