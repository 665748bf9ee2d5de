"""What workers post of themselves, and what all of them can tell of all."""

import os
import time

from bus.events import from_json
from bus.process.heart import Heart, Notifier
from bus.transport.publisher import Publisher
from bus.transport.source_state import SourceCounts, SourceState
from gateway.monitor.bulletin import Bulletin
from gateway.monitor.loop_lag import LoopLag
from gateway.monitor.observer import MAX_LAGGARDS, Observer, lag_at
from gateway.monitor.scoreboard import Scoreboard
from gateway.relay import Cursor, Endpoint, Log, Relay, View
from gateway.streams.readers import Readers
from gateway.unknown_routes import UnknownRoutes
from tests.envelopes import dump, enveloped

GLOBAL = View(Endpoint.GLOBAL)
LAG = LoopLag(Heart(Notifier("")))


class Ears:
    """As much of a subscriber as is looked at."""

    def __init__(self, **sources):
        self.malformed = 0
        self.sources = sources


class Nobody:
    """A socket into the void."""

    def send(self, *_):
        """Forget it."""


def worker(board, seat=0, readers=None, ears=None):
    readers = Readers(Relay(), 5000) if readers is None else readers
    observer = Observer(seat, readers, ears or Ears(), LAG, None, UnknownRoutes())
    return Bulletin(board, observer), readers


def publish(readers, count, text="x" * 40):
    publisher = Publisher(Nobody(), "s1")
    ids = {"sessionID": "s", "messageID": "m", "partID": "p", "field": "text"}
    event = dump({"type": "message.part.delta", "properties": {**ids, "delta": text}})
    sent = [publisher.publish(from_json(event), "/d") for _ in range(count)]
    readers.relay.append(sent)
    return sent


def deliver(readers, reader):
    step = readers.relay.step(reader.cursor, reader.view)
    reader.cursor = step.cursor
    reader.count_step(step)
    return step


def test_each_worker_reads_what_all_have_posted():
    board = Scoreboard(4)
    one, readers = worker(board, 0)
    two, others = worker(board, 2)
    readers.open(GLOBAL)
    others.open(GLOBAL)
    others.discard(others.open(GLOBAL))
    one.post()
    two.post()
    for bulletin in (one, two):
        first, second = (post.status for post in bulletin.workers())
        assert (first.worker, first.readers, second.worker, second.readers) == (0, 1, 2, 1)
        assert first.pid == os.getpid()
        assert bulletin.counted().streams == 3


def test_counts_go_on_where_a_worker_ended_and_another_took_its_seat():
    board = Scoreboard(2)
    bulletin, readers = worker(board)
    reader = readers.open(GLOBAL)
    publish(readers, 10)
    deliver(readers, reader)
    readers.evictions["stalled"] = 2
    bulletin.post()
    before = bulletin.counted()
    assert (before.sent.events, before.sent.frames, before.sent.merged) == (10, 1, 9)
    board.vacate(0)
    other, _ = worker(board, 1)
    assert other.counted().sent == before.sent
    assert other.workers() == []
    for streams in (1, 2):
        successor, readers = worker(board)
        readers.open(GLOBAL)
        readers.evictions["stalled"] = 1
        successor.post()
        assert other.counted().sent == before.sent
        assert other.counted().evictions["stalled"] == 2 + streams
        assert other.counted().streams == 1 + streams


def test_streams_that_were_open_when_their_worker_was_killed_are_counted_once():
    board = Scoreboard(2)
    bulletin, readers = worker(board)
    for _ in range(3):
        readers.open(GLOBAL)
    readers.discard(next(iter(readers)))
    bulletin.post()
    other, _ = worker(board, 1)
    assert other.counted().evictions["killed"] == 0
    board.vacate(0)
    assert other.counted().evictions["killed"] == 2
    successor, readers = worker(board)
    readers.open(GLOBAL)
    successor.post()
    counted = other.counted()
    assert counted.evictions["killed"] == 2
    assert counted.streams == 1 + sum(counted.evictions.values())
    board.vacate(0)
    assert other.counted().evictions["killed"] == 3


def test_what_a_closed_stream_was_sent_still_counts():
    bulletin, readers = worker(Scoreboard(1))
    reader = readers.open(GLOBAL)
    publish(readers, 3)
    step = deliver(readers, reader)
    readers.discard(reader)
    readers.discard(reader)
    bulletin.post()
    [post] = bulletin.workers()
    assert post.status.readers == 0
    assert post.status.counts.sent.bytes == sum(map(len, step.pieces))


def test_of_many_readers_the_laggards_are_told_and_all_are_counted():
    bulletin, readers = worker(Scoreboard(1))
    behind = readers.open(View(Endpoint.INSTANCE, "/d", sessions=frozenset({"ses_1"})))
    publish(readers, 100)
    for _ in range(2 * MAX_LAGGARDS):
        readers.open(GLOBAL)
    bulletin.post()
    [post] = bulletin.workers()
    assert post.status.readers == 2 * MAX_LAGGARDS + 1
    assert len(post.status.laggards) == MAX_LAGGARDS
    first = post.status.laggards[0]
    assert (first.lag.events, first.lag.bytes) == (100, 4000)
    assert (first.endpoint, first.filter.directory) == ("/event", "/d")
    assert first.filter.sessions == ["ses_1"]
    assert behind in readers


def test_readers_with_enormous_filters_are_told_in_bounds_or_left_out():
    board = Scoreboard(1, 4096)
    bulletin, readers = worker(board)
    sessions = frozenset(f"{n:0300d}" for n in range(50))
    for n in range(20):
        readers.open(View(Endpoint.INSTANCE, f"/{n}" + "d" * 9000, sessions=sessions))
    bulletin.post()
    [post] = bulletin.workers()
    assert post.status.readers == 20
    assert 0 < len(post.status.laggards) < 20
    told = post.status.laggards[0].filter
    assert len(told.directory) == 200
    assert (len(told.sessions), told.more_sessions) == (10, 40)


def test_a_source_is_told_with_its_age_and_its_gaps():
    began = time.monotonic()
    heard = SourceState("e1", 7, began - 5, gaps=2, repaired=30, lost=1)
    board = Scoreboard(1)
    bulletin, _ = worker(board, ears=Ears(s1=heard))
    bulletin.post()
    [source] = bulletin.workers()[0].status.sources
    assert (source.source, source.epoch, source.seq) == ("s1", "e1", 7)
    assert (source.gaps, source.repaired, source.lost) == (2, 30, 1)
    assert 5 <= source.heartbeat_age_s <= 5.001 + time.monotonic() - began
    assert bulletin.counted().sources == {"s1": SourceCounts(gaps=2, repaired=30, lost=1)}
    successor, _ = worker(board, ears=Ears(s1=heard, s2=SourceState("e", 1, 0.0, restarts=1)))
    successor.post()
    assert successor.counted().sources == {
        "s1": SourceCounts(gaps=4, repaired=60, lost=2),
        "s2": SourceCounts(restarts=1),
    }


def test_a_reader_that_cannot_write_is_told_as_stalled():
    bulletin, readers = worker(Scoreboard(1))
    began = time.monotonic()
    readers.open(GLOBAL).stalled_s = 3.0
    readers.open(GLOBAL)
    bulletin.post()
    stalled = sorted(row.stalled_s for row in bulletin.workers()[0].status.laggards)
    assert stalled[0] == 0.0
    assert 3 <= stalled[1] <= 3.001 + time.monotonic() - began


def test_lag_is_in_events_bytes_and_time_and_tells_who_fell_off():
    readers = Readers(Relay(Log(max_events=2000)), 10)
    sent = publish(readers, 5000)
    log = readers.relay.log
    assert lag_at(log, log.head).events == 0
    near = lag_at(log, log.head - 3)
    assert (near.events, near.bytes, near.fell_off) == (3, 120, False)
    assert 0 <= near.ms <= (time.time_ns() - sent[0].time_ns) // 1_000_000
    far = lag_at(log, 0)
    assert (far.events, far.fell_off) == (5000, True)
    assert far.bytes == 40 * (log.head - log.tail)


def test_a_reader_that_fell_off_a_log_that_began_anew_is_told():
    readers = Readers(Relay(), 10)
    publish(readers, 10)
    readers.relay.log.restart()
    lag = lag_at(readers.relay.log, 10)
    assert (lag.events, lag.bytes, lag.ms, lag.fell_off) == (1, 0, 0, True)


def test_how_full_the_ledgers_are_is_told():
    readers = Readers(Relay(ledger_bytes=10_000), 10)
    status = {"sessionID": "s", "status": {"type": "busy"}}
    readers.relay.append(enveloped([{"type": "session.status", "properties": status}]))
    bulletin, _ = worker(Scoreboard(1), readers=readers)
    bulletin.post()
    ledger = bulletin.workers()[0].status.ledger
    assert (ledger.entries, ledger.max_bytes) == (1, 10_000)
    assert ledger.fill == round(ledger.bytes / 10_000, 4) > 0


def test_what_a_reader_is_told_first_is_counted():
    readers = Readers(Relay(), 10)
    sent = publish(readers, 10)
    publisher_id = f"{sent[0].epoch}:0-10.0"
    back = readers.open(GLOBAL, publisher_id)
    entrance = readers.come_in(back)
    pieces = list(entrance.pieces(Endpoint.GLOBAL))
    back.count_entrance(len(entrance.rest), 0, sum(map(len, pieces)))
    assert (back.sent.events, back.sent.frames, back.sent.upserts) == (1, 1, 0)
    assert +readers.resumes == {"exact": 1}


def test_a_seat_that_holds_nonsense_is_left_out():
    board = Scoreboard(2)
    board.post(1, 5, b"\xc1nonsense")
    bulletin, _ = worker(board)
    bulletin.post()
    assert [post.status.worker for post in bulletin.workers()] == [0]
    assert bulletin.counted().streams == 0
    successor, _ = worker(board, 1)
    successor.post()
    assert len(bulletin.workers()) == 2


def test_a_cursor_before_all_is_the_first_of_the_laggards():
    bulletin, readers = worker(Scoreboard(1))
    publish(readers, 10)
    readers.open(GLOBAL)
    readers.open(GLOBAL).cursor = Cursor(4)
    bulletin.post()
    lags = [row.lag.events for row in bulletin.workers()[0].status.laggards]
    assert lags == [6, 0]
