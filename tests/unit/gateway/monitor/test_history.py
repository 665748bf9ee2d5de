"""The history of figures: one row a second, whichever worker writes it."""

from gateway.monitor.history import COLUMNS, History, Sample, sample_of
from gateway.streams.counts import Counts, Sent
from tests.fakes.posts import post_of

SECOND_MS = 1000


def times(rows):
    return [row[0] for row in rows]


def test_rows_come_oldest_first_and_only_those_after_a_time():
    history = History(rows=10)
    for second in (3, 1, 2):
        history.write(Sample(time_ms=second * SECOND_MS, readers=second))
    rows = history.rows(now_ms=3 * SECOND_MS)
    assert times(rows) == [1000, 2000, 3000]
    assert [row[COLUMNS.index("readers")] for row in rows] == [1, 2, 3]
    assert times(history.rows(3 * SECOND_MS, since_ms=2000)) == [3000]


def test_the_ring_keeps_its_length_and_leaves_out_what_is_older():
    history = History(rows=10)
    for second in range(1, 26):
        history.write(Sample(time_ms=second * SECOND_MS))
    assert times(history.rows(25 * SECOND_MS)) == [s * SECOND_MS for s in range(16, 26)]
    assert times(history.rows(29 * SECOND_MS)) == [s * SECOND_MS for s in range(20, 26)]


def test_a_second_has_one_row():
    history = History(rows=10)
    assert not history.has(1500)
    history.write(Sample(time_ms=1100))
    assert history.has(1500)
    assert not history.has(2000)
    assert not history.has(1500 + 10 * SECOND_MS)


def test_a_row_that_is_being_written_is_left_out():
    history = History(rows=10)
    history.write(Sample(time_ms=1000, readers=5))
    history.write(Sample(time_ms=0, readers=7))  # a worker was killed before it wrote the time
    assert times(history.rows(2000)) == [1000]


def test_a_sample_adds_up_workers_and_takes_the_worst_of_what_does_not_add_up():
    posts = [
        post_of(worker=0, readers=2, loop_lag_s=0.5, memory_bytes=10),
        post_of(worker=1, readers=3, loop_lag_s=0.1, memory_bytes=20),
    ]
    sample = sample_of(1000, posts, Counts(sent=Sent(events=9, frames=4, upserts=1, own_frames=2)))
    assert (sample.readers, sample.memory_bytes, sample.loop_lag_ms) == (5, 30, 500)
    assert (sample.events_due, sample.frames) == (9, 7)
    assert sample_of(1000, [], Counts()) == Sample(time_ms=1000)
