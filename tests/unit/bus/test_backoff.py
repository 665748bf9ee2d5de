"""Waits between attempts: doubling, jittered, bounded, and back to the first after a success."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.backoff import Backoff


@given(st.floats(0.001, 10), st.floats(0.001, 600), st.floats(0, 0.9), st.integers(0, 60))
def test_every_wait_is_within_its_jitter_of_the_doubled_and_bounded_one(
    first_s, most_s, jitter, attempts
):
    backoff = Backoff(first_s, most_s, jitter)
    for attempt in range(attempts):
        plain = min(first_s * 2**attempt, most_s)
        assert plain * (1 - jitter) <= backoff.next_s() <= plain * (1 + jitter)
    backoff.reset()
    assert backoff.next_s() <= min(first_s, most_s) * (1 + jitter)


def test_ten_thousand_failures_in_a_row_do_not_overflow():
    backoff = Backoff(0.5, 30.0)
    assert max(backoff.next_s() for _ in range(10_000)) <= 30 * 1.25
    assert backoff.attempt == 10_000


def test_many_who_lost_one_server_do_not_return_at_once():
    waits = {Backoff().next_s() for _ in range(100)}
    assert len(waits) > 90


def test_without_jitter_the_waits_are_exact():
    backoff = Backoff(1, 5, jitter=0)
    assert [backoff.next_s() for _ in range(4)] == pytest.approx([1, 2, 4, 5])
