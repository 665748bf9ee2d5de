"""Every worker lists the readers of all workers that ended last."""

from gateway.monitor.scoreboard import Scoreboard
from gateway.relay import Relay
from gateway.streams.departures import MOST, Departures
from gateway.streams.evictions import Cause
from gateway.streams.reader import StreamClient
from gateway.streams.readers import Readers
from tests.envelopes import instance


def worker(board, seat):
    readers = Readers(Relay(), 1000)
    return readers, Departures(board, seat, readers)


def ended(readers, agent, cause=None):
    reader = readers.open(instance(), client=StreamClient("127.0.0.1", agent))
    if cause is not None:
        reader.leave(cause)
    readers.discard(reader)


def agents(rows):
    return [row.reader.client for row in rows]


def test_each_worker_tells_the_departures_of_all_with_their_causes():
    board = Scoreboard(2)
    (one, ones), (two, twos) = worker(board, 0), worker(board, 1)
    ended(one, "first")
    ended(two, "second", Cause.STALLED)
    twos.post()
    rows = ones.last()
    assert {row.reader.client: row.cause for row in rows} == {"first": "gone", "second": "stalled"}
    assert rows[0].reader.address == "127.0.0.1"
    ones.post()
    assert sorted(agents(twos.last())) == ["first", "second"]


def test_the_latest_come_first_and_no_more_than_are_kept():
    board = Scoreboard(1)
    readers, departures = worker(board, 0)
    for number in range(MOST + 5):
        ended(readers, str(number))
    rows = departures.last()
    assert len(rows) == MOST
    assert "0" not in agents(rows)
    assert rows == sorted(rows, key=lambda row: -row.ended_ms)


def test_a_worker_that_takes_a_seat_goes_on_with_its_list():
    board = Scoreboard(1)
    readers, departures = worker(board, 0)
    ended(readers, "before")
    departures.post()
    readers, departures = worker(board, 0)
    ended(readers, "after")
    assert sorted(agents(departures.last())) == ["after", "before"]


def test_the_readers_of_a_worker_that_was_killed_are_told_by_the_next_one_of_its_seat():
    board = Scoreboard(1)
    readers, departures = worker(board, 0)
    ended(readers, "open when it was killed")
    [row] = departures.last()
    after = Departures(Scoreboard(1), 0, Readers(Relay(), 10), [row.reader])
    assert [(one.cause, one.reader) for one in after.last()] == [("killed", row.reader)]


def test_a_list_that_finds_no_room_keeps_the_latest():
    board = Scoreboard(1, 4096)
    readers, departures = worker(board, 0)
    for number in range(MOST):
        ended(readers, str(number))
    found = agents(departures.last())
    assert found
    assert "0" not in found
    assert str(MOST - 1) in found
