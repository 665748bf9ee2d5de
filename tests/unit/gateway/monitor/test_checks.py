"""What has to hold, and how it is said in words when it does not."""

import pytest

from gateway.monitor import checks
from gateway.monitor.checks import Heard
from gateway.monitor.status import Fill
from tests.fakes.posts import post_of


def failing(made):
    return [check.reason for check in made if not check.ok]


def test_a_source_heard_lately_is_well():
    [check] = checks.heartbeats({"s1": Heard(1.25, 0)}, buses=1)
    assert (check.ok, check.value, check.threshold) == (True, 1.25, 2.5)
    assert check.reason == "worker 0 has received nothing from processor s1 for 1.3 s"


def test_a_silent_source_is_named_with_what_is_allowed():
    [check] = checks.heartbeats({"s1": Heard(3.0, 4)}, buses=1)
    assert failing([check]) == [
        "worker 4 has received nothing from processor s1 for 3.0 s; allowed: 2.5 s"
    ]


def test_a_value_that_fails_is_shown_above_its_threshold():
    [check] = checks.heartbeats({"s1": Heard(2.5000001, 0)}, buses=1)
    assert (check.ok, check.value) == (False, 2.501)
    assert (
        check.reason == "worker 0 has received nothing from processor s1 for 2.6 s; allowed: 2.5 s"
    )
    [check] = checks.heartbeats({"s1": Heard(2.5, 0)}, buses=1)
    assert (check.ok, check.value) == (True, 2.5)


def test_no_source_at_all_is_a_reason():
    assert failing(checks.heartbeats({}, buses=2)) == ["no processor has sent anything yet"] * 2


def test_a_source_that_another_took_the_place_of_may_be_silent():
    heard = {"old": Heard(500.0, 0), "new": Heard(0.1, 1)}
    assert failing(checks.heartbeats(heard, buses=1)) == []
    assert failing(checks.heartbeats(heard, buses=2)) == [
        "worker 0 has received nothing from processor old for 500.0 s; allowed: 2.5 s"
    ]


@pytest.mark.parametrize(
    ("lag_s", "beat_age_s", "ok", "words"),
    [
        (0.1, 0.9, True, "the event loop of worker 3 was late by 0.10 s"),
        (2.001, 0.9, False, "the event loop of worker 3 was late by 2.01 s; allowed: 2 s"),
        (2.5, 0.9, False, "the event loop of worker 3 was late by 2.50 s; allowed: 2 s"),
        (0.0, 2.9, True, "the event loop of worker 3 was late by 1.90 s"),
        (
            0.0,
            4.0,
            False,
            "the event loop of worker 3 (pid 77) has been blocked for 3.0 s; allowed: 2 s",
        ),
    ],
)
def test_a_loop_that_is_late_or_says_nothing(lag_s, beat_age_s, ok, words):
    post = post_of(worker=3, pid=77, loop_lag_s=lag_s, beat=100.0)
    check = checks.loop_lag(post, now=100.0 + beat_age_s)
    assert (check.ok, check.reason) == (ok, words)
    assert check.threshold == 2.0


def test_a_full_log_is_well_and_one_past_all_bounds_is_not():
    full = post_of(log=Fill(1000, 100, 100, 1.0))
    assert failing(checks.fills(full)) == []
    over = post_of(worker=1, log=Fill(1, 250, 100, 2.5))
    assert failing(checks.fills(over)) == [
        "the log of worker 1 uses 250% of its bound; allowed: 200%"
    ]
