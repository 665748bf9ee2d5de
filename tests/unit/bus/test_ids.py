"""Identifiers ascend in the order in which they were made, whatever the clock does."""

import re
import threading
import time

import pytest

from bus.ids import Ids, made_ms

NOON_NS = 1_795_166_409_792_000_000
"""A moment of a recorded session, whose id began with ses_e07be6bbf."""


class Clock:
    """Stands for `time.time_ns`."""

    def __init__(self, now_ns):
        self.now_ns = now_ns

    def __call__(self):
        return self.now_ns


@pytest.fixture
def clock(monkeypatch):
    clock = Clock(NOON_NS)
    monkeypatch.setattr(time, "time_ns", clock)
    return clock


def test_an_id_has_opencodes_form(clock):
    ids = Ids()
    assert re.fullmatch(r"evt_1f8419440[0-9a-f]{3}[0-9A-Za-z]{14}", ids.ascending("evt"))
    assert re.fullmatch(r"ses_e07be6bbf[0-9a-f]{3}[0-9A-Za-z]{14}", ids.descending("ses"))


def test_ids_ascend_and_those_of_sessions_descend():
    ids = Ids()
    messages = [ids.ascending("msg") for _ in range(20_000)]
    sessions = [ids.descending("ses") for _ in range(20_000)]
    assert messages == sorted(set(messages))
    assert sessions == sorted(set(sessions), reverse=True)


@pytest.mark.parametrize("back_ms", [1, 1000, 86_400_000])
def test_a_clock_that_steps_back_does_not_take_ids_along(clock, back_ms):
    ids = Ids()
    made, sessions = [], []
    for step_ms in (0, 5, -back_ms, 0, 3, back_ms, 10):
        clock.now_ns += step_ms * 1_000_000
        made += [ids.ascending("prt") for _ in range(10)]
        sessions += [ids.descending("ses") for _ in range(10)]
    assert made == sorted(set(made))
    assert sessions == sorted(set(sessions), reverse=True)


def test_ids_go_on_past_the_counter_of_one_millisecond(clock):
    ids = Ids()
    made = [ids.ascending("prt") for _ in range(3 * 0x1000)]
    clock.now_ns += 1_000_000
    made.append(ids.ascending("prt"))
    assert made == sorted(set(made))


def test_the_two_kinds_share_one_order(clock):
    ids = Ids()
    first, second, third = ids.ascending("a"), ids.descending("a"), ids.ascending("a")
    counters = [int(made[2:14], 16) for made in (first, second, third)]
    assert counters == [counters[0], (1 << 48) - 1 - counters[0] - 1, counters[0] + 2]


def test_threads_never_get_the_same_id(clock):
    ids, made = Ids(), []
    threads = [
        threading.Thread(target=lambda: made.extend(ids.ascending("x") for _ in range(2000)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one[:14] for one in made}) == 8000


@pytest.mark.parametrize("off_ms", [-(365 * 86_400_000), -5, 0, 5, 365 * 86_400_000])
def test_an_id_tells_when_it_was_made_though_its_time_wraps(clock, off_ms):
    then_ms = NOON_NS // 1_000_000
    ids = Ids()
    assert made_ms(ids.ascending("evt"), then_ms + off_ms) == then_ms
    clock.now_ns += 123_000_000
    assert made_ms(ids.ascending("msg"), then_ms + off_ms) == then_ms + 123


@pytest.mark.parametrize("other", ["evt_000001", "evt_" + "x" * 26, "evt_" + "0" * 27, ""])
def test_an_id_of_another_form_tells_nothing(other):
    assert made_ms(other, 0) is None


HOUR_MS = 3_600_000


@pytest.mark.parametrize("back_ms", [0, 1, HOUR_MS, 300 * 24 * HOUR_MS])
def test_ids_ascend_across_restarts_though_the_clock_went_back(clock, back_ms):
    first = Ids()
    last_session, last = first.descending("ses"), first.ascending("prt")
    clock.now_ns -= back_ms * 1_000_000
    second = Ids()
    for made in (last, last_session, "msg_given", ""):
        second.follow(made, most_ms=None)
    assert second.ascending("prt") > last
    assert second.descending("ses") < last_session


def test_ids_follow_a_client_whose_clock_is_ahead_but_not_far(clock):
    ids, ahead = Ids(), Ids()
    clock.now_ns += HOUR_MS * 1_000_000
    given = ahead.ascending("msg")
    clock.now_ns -= HOUR_MS * 1_000_000
    ids.follow(given)
    assert ids.ascending("msg") > given
    for far in ("msg_" + "f" * 12 + "x" * 14, "msg_" + "7" * 12 + "x" * 14):
        ids.follow(far)
        assert ids.ascending("msg")[:12] == given[:12]


def test_an_id_of_the_past_is_not_followed(clock):
    ids, behind = Ids(), Ids()
    before = ids.ascending("msg")
    clock.now_ns -= HOUR_MS * 1_000_000
    ids.follow(behind.ascending("msg"))
    assert ids.ascending("msg") > before
