"""Publisher and subscriber over real sockets: batches, order, gaps, restarts, nonsense."""

import json
import time

import gevent
import pytest

from bus.envelope import Envelope
from bus.events import from_json
from bus.transport import gap_repair
from bus.transport.codec import Batch, Heartbeat
from bus.transport.publisher import BATCH_BYTES, BATCH_EVENTS, Publisher
from bus.transport.replay import CannotRepair, NoProcessor
from bus.transport.source_state import MOST_OVER
from tests.envelopes import dump
from tests.processes import DEADLINE_S


def numbered(number, filling=""):
    return from_json(dump({"type": "n", "properties": {"n": number, "filling": filling}}))


def envelopes(*seqs, epoch="e1", source="p1"):
    return [Envelope(source, epoch, seq, seq, None, None, None, numbered(seq)) for seq in seqs]


def batch(*seqs, **where):
    return Batch(envelopes(*seqs, **where))


def numbers(received):
    return [json.loads(envelope.event.json())["properties"]["n"] for envelope in received]


def receive(subscriber, frames):
    return [[envelope.seq for envelope in subscriber.receive()] for _ in range(frames)]


def later(waiting):
    """Defers what a publisher defers until the test calls it."""
    return waiting.append


def test_an_event_arrives_at_once_and_in_its_place(bus):
    subscriber, publisher = bus.subscriber(), Publisher(bus.socket, "p1")
    before = time.time_ns()
    sent = publisher.publish(numbered(7), "/srv/demo", "prj_1", "wrk_1")
    [envelope] = subscriber.receive()
    assert envelope == sent
    assert (envelope.source, envelope.epoch, envelope.seq) == ("p1", publisher.epoch, 1)
    assert (envelope.directory, envelope.project, envelope.workspace) == (
        "/srv/demo",
        "prj_1",
        "wrk_1",
    )
    assert before <= envelope.time_ns <= time.time_ns()


def test_what_is_published_in_one_loop_turn_leaves_as_one_frame(bus):
    waiting = []
    subscriber, publisher = bus.subscriber(), Publisher(bus.socket, "p1", later(waiting))
    for number in range(100):
        publisher.publish(numbered(number))
    [flush] = waiting
    flush()
    assert numbers(subscriber.receive()) == list(range(100))
    publisher.publish(numbered(100))
    waiting.pop()()
    assert numbers(subscriber.receive()) == [100]


def test_a_frame_is_bounded_in_events(bus):
    subscriber, publisher = bus.subscriber(), Publisher(bus.socket, "p1", later([]))
    for number in range(2 * BATCH_EVENTS + 1):
        publisher.publish(numbered(number))
    publisher.flush()
    received = [subscriber.receive() for _ in range(3)]
    assert [len(frame) for frame in received] == [BATCH_EVENTS, BATCH_EVENTS, 1]


def test_a_frame_is_bounded_in_bytes_and_a_larger_event_is_one_of_its_own(bus):
    subscriber, publisher = bus.subscriber(), Publisher(bus.socket, "p1", later([]))
    for number in range(4):
        publisher.publish(numbered(number, "x" * (BATCH_BYTES // 2)))
    publisher.publish(numbered(4, "x" * 10 * BATCH_BYTES))
    publisher.publish(numbered(5))
    publisher.flush()
    received = [numbers(subscriber.receive()) for _ in range(4)]
    assert received == [[0, 1], [2, 3], [4], [5]]


def test_order_is_kept_over_many_frames(bus):
    subscriber, publisher = bus.subscriber(), Publisher(bus.socket, "p1", later([]))
    received = []
    for number in range(20_000):
        publisher.publish(numbered(number))
        if publisher.seq % BATCH_EVENTS == 0:
            received += subscriber.receive()
    publisher.flush()
    received += subscriber.receive()
    assert numbers(received) == list(range(20_000))
    assert [envelope.seq for envelope in received] == list(range(1, 20_001))
    assert subscriber.sources["p1"].gaps == 0


def test_a_heartbeat_sends_what_waits_and_shows_the_source_alive(bus):
    subscriber, publisher = bus.subscriber(), Publisher(bus.socket, "p1", later([]))
    assert not subscriber.alive(60)
    publisher.publish(numbered(1))
    publisher.heartbeat()
    assert receive(subscriber, 2) == [[1], []]
    assert subscriber.alive(60)
    assert not subscriber.alive(0)
    assert subscriber.sources["p1"].seq == 1


def test_who_comes_late_misses_nothing_that_it_could_have_had(bus):
    subscriber = bus.subscriber()
    bus.send(batch(41, 42), batch(43))
    assert receive(subscriber, 2) == [[41, 42], [43]]
    assert subscriber.sources["p1"].gaps == 0


def test_who_begins_with_a_heartbeat_goes_on_after_it(bus):
    subscriber = bus.subscriber()
    bus.send(Heartbeat("p1", "e1", 41, 1), batch(42), batch(44))
    assert receive(subscriber, 3) == [[], [42], [44]]
    assert subscriber.sources["p1"].lost == 1


def test_while_a_subscriber_waits_other_greenlets_run_and_no_frame_is_slept_through(bus):
    subscriber, received = bus.subscriber(), []

    def listen():
        while len(received) < 20:
            received.extend(receive(subscriber, 1)[0])

    listening = gevent.spawn(listen)
    for seq in range(1, 21, 2):
        # Now one by one, now two at once: those have one change of the socket between them.
        bus.send(batch(seq), batch(seq + 1))
        gevent.sleep(0.002 * (seq % 3))
    listening.join(timeout=DEADLINE_S)
    assert received == list(range(1, 21))


def test_a_gap_is_counted(bus):
    subscriber = bus.subscriber()
    bus.send(batch(1, 2), batch(5, 6), batch(9))
    assert receive(subscriber, 3) == [[1, 2], [5, 6], [9]]
    state = subscriber.sources["p1"]
    assert (state.gaps, state.lost, state.repaired, state.seq) == (2, 4, 0, 9)


def test_a_gap_at_the_end_is_noticed_by_the_heartbeat(bus):
    subscriber = bus.subscriber()
    bus.send(batch(1), Heartbeat("p1", "e1", 4, 1), Heartbeat("p1", "e1", 4, 1), batch(5))
    assert receive(subscriber, 4) == [[1], [], [], [5]]
    assert (subscriber.sources["p1"].gaps, subscriber.sources["p1"].lost) == (1, 3)


def test_what_was_missing_comes_before_what_follows_it(bus):
    asked = []

    def repair(*gap):
        asked.append(gap)
        return envelopes(*range(gap[2] + 1, gap[3] + 1))

    subscriber = bus.subscriber(repair)
    bus.send(batch(1), batch(4, 5), Heartbeat("p1", "e1", 7, 1), batch(8))
    assert receive(subscriber, 4) == [[1], [2, 3, 4, 5], [6, 7], [8]]
    assert asked == [("p1", "e1", 1, 3), ("p1", "e1", 5, 7)]
    state = subscriber.sources["p1"]
    assert (state.gaps, state.repaired, state.lost) == (2, 4, 0)


def test_without_snapshots_a_gap_that_cannot_be_repaired_does_not_stop_the_rest(bus, caplog):
    def repair(*gap):
        raise CannotRepair("forgotten")

    subscriber = bus.subscriber(repair)
    bus.send(batch(1), batch(4))
    assert receive(subscriber, 2) == [[1], [4]]
    assert subscriber.sources["p1"].lost == 2
    assert "2 missed events after seq 1 are lost: forgotten" in caplog.text


def test_a_duplicate_is_dropped(bus):
    subscriber = bus.subscriber()
    bus.send(batch(1, 2, 3), batch(2, 3), batch(3, 4), batch(1), batch(5))
    assert receive(subscriber, 5) == [[1, 2, 3], [], [4], [], [5]]
    assert subscriber.sources["p1"].gaps == 0


def test_a_stale_heartbeat_does_not_take_the_place_back(bus):
    subscriber = bus.subscriber()
    bus.send(batch(1, 2, 3), Heartbeat("p1", "e1", 1, 1), batch(3, 4))
    assert receive(subscriber, 3) == [[1, 2, 3], [], [4]]


def test_a_restarted_source_counts_anew(bus):
    subscriber = bus.subscriber()
    bus.send(batch(1, 2, 3), batch(1, 2, epoch="e2"), batch(3, epoch="e2"))
    assert receive(subscriber, 3) == [[1, 2, 3], [1, 2], [3]]
    state = subscriber.sources["p1"]
    assert (state.epoch, state.restarts, state.gaps) == ("e2", 1, 0)


def test_what_a_restarted_source_said_first_is_missed(bus):
    asked = []
    subscriber = bus.subscriber(lambda *gap: asked.append(gap) or envelopes(1, 2, epoch="e2"))
    bus.send(batch(1, 2, 3), batch(3, epoch="e2"))
    assert receive(subscriber, 2) == [[1, 2, 3], [1, 2, 3]]
    assert asked == [("p1", "e2", 0, 2)]


def test_two_sources_are_counted_apart(bus):
    subscriber = bus.subscriber()
    bus.send(batch(1), batch(1, source="p2"), batch(2), batch(3, source="p2"))
    assert receive(subscriber, 4) == [[1], [1], [2], [3]]
    assert {name: state.lost for name, state in subscriber.sources.items()} == {"p1": 0, "p2": 1}


@pytest.mark.parametrize("nonsense", [b"", b"\xc1", b"{}", b"\x91" * 100_000])
def test_a_malformed_frame_is_counted_and_passed_over(bus, nonsense):
    subscriber = bus.subscriber()
    bus.send(batch(1))
    bus.socket.send(nonsense)
    bus.send(Batch([]), batch(2))
    assert receive(subscriber, 4) == [[1], [], [], [2]]
    assert subscriber.malformed == 1
    assert subscriber.sources["p1"].gaps == 0


def test_what_a_publisher_drops_at_its_mark_is_counted_to_the_event(bus):
    subscriber, publisher = bus.subscriber(), Publisher(bus.socket, "p1")
    published = 8_000  # a frame each, and nobody reads: more than the two marks together
    for number in range(published):
        publisher.publish(numbered(number))
    received = subscriber.receive()
    while subscriber.sources["p1"].seq < published:
        publisher.heartbeat()
        received += subscriber.receive()
    seqs = [envelope.seq for envelope in received]
    assert seqs == sorted(set(seqs))
    assert 0 < len(received) < published
    assert len(received) + subscriber.sources["p1"].lost == published


def test_epochs_of_later_starts_sort_later(bus, monkeypatch):
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    first = Publisher(bus.socket, "p1").epoch
    monkeypatch.setattr(time, "time_ns", lambda: now + 1_000_000)
    assert first < Publisher(bus.socket, "p1").epoch
    assert not set(first) & set(":-.,")


def joining(*places):
    """Each join brings the next of these places, or fails where there is none."""
    left, asked = list(places), []

    def join():
        asked.append(1)
        if not left or left[0] is None:
            del left[:1]
            raise CannotRepair("no snapshot today")
        return left.pop(0)

    return join, asked


def cannot(*gap):
    raise CannotRepair("forgotten")


def test_a_source_heard_for_the_first_time_begins_where_its_snapshot_ends(bus):
    join, _ = joining(("p1", "e1", 3))
    subscriber = bus.subscriber(cannot, join)
    bus.send(batch(2, 3), batch(3, 4), batch(5))
    assert receive(subscriber, 3) == [[], [4], [5]]
    state = subscriber.sources["p1"]
    assert (state.gaps, state.lost, state.snapshots) == (0, 0, 1)


def test_nothing_passes_of_a_source_whose_snapshot_is_yet_to_be_had(bus, at_once):
    join, asked = joining(None, None, ("p1", "e1", 6))
    subscriber = bus.subscriber(cannot, join)
    bus.send(batch(5), batch(6), batch(7), batch(8))
    assert receive(subscriber, 4) == [[], [], [7], [8]]
    assert len(asked) == 3


def test_a_source_that_has_nobody_to_ask_begins_as_it_is_heard(bus):
    def join():
        raise NoProcessor("nobody")

    subscriber = bus.subscriber(cannot, join)
    bus.send(batch(5), batch(6))
    assert receive(subscriber, 2) == [[5], [6]]


def test_a_snapshot_takes_the_place_of_what_cannot_be_replayed(bus):
    join, _ = joining(("p1", "e1", 0), ("p1", "e1", 7))
    subscriber = bus.subscriber(cannot, join)
    bus.send(batch(1), batch(6, 7, 8), batch(9))
    assert receive(subscriber, 3) == [[1], [8], [9]]
    state = subscriber.sources["p1"]
    assert (state.gaps, state.lost, state.snapshots) == (1, 0, 2)


def test_a_snapshot_of_another_source_repairs_nothing(bus):
    join, _ = joining(("p1", "e1", 0), ("p2", "e2", 7))
    subscriber = bus.subscriber(cannot, join)
    bus.send(batch(1), batch(6))
    assert receive(subscriber, 2) == [[1], []]
    assert subscriber.sources["p1"].is_broken


@pytest.fixture
def at_once(monkeypatch):
    """Have each frame be an occasion to try a gap again."""
    monkeypatch.setattr(gap_repair, "TRY_AGAIN_S", 0.0)


def test_nothing_passes_a_gap_that_cannot_be_repaired_until_it_can(bus, at_once):
    gaps = []

    def repair(source, epoch, after, upto):
        gaps.append((after, upto))
        if len(gaps) < 3:
            raise CannotRepair("not now")
        return envelopes(*range(after + 1, upto + 1))

    join, _ = joining(("p1", "e1", 0))
    subscriber = bus.subscriber(repair, join)
    bus.send(batch(1), batch(4), batch(5), Heartbeat("p1", "e1", 5, 1), batch(6))
    assert receive(subscriber, 5) == [[1], [], [], [2, 3, 4, 5], [6]]
    assert gaps == [(1, 3), (1, 4), (1, 5)]
    state = subscriber.sources["p1"]
    assert (state.gaps, state.repaired, state.lost) == (1, 4, 0)


def test_a_gap_that_cannot_be_repaired_is_tried_again_after_a_while_only(bus):
    join, asked = joining(("p1", "e1", 0))
    subscriber = bus.subscriber(cannot, join)
    bus.send(batch(1), *(batch(seq) for seq in range(4, 50)))
    assert receive(subscriber, 47) == [[1]] + [[]] * 46
    assert len(asked) == 2


def test_a_gap_is_lost_with_its_epoch_which_takes_a_snapshot_to_end(bus, at_once, caplog):
    join, _ = joining(("p1", "e1", 0), None, None, ("p1", "e2", 2))
    subscriber = bus.subscriber(cannot, join)
    late = [batch(n, epoch="e2") for n in (1, 2, 3)]
    bus.send(batch(1), batch(4, 5), *late)
    assert receive(subscriber, 5) == [[1], [], [], [], [3]]
    state = subscriber.sources["p1"]
    assert (state.epoch, state.lost, state.gaps, state.restarts) == ("e2", 4, 1, 1)
    assert "4 missed events of its previous epoch are lost" in caplog.text


def test_a_frame_of_an_epoch_that_is_over_is_passed_over(bus):
    """It was in the socket when the source was started anew and told its snapshot."""
    join, asked = joining(("p1", "e2", 1), ("p1", "e2", 1))
    subscriber = bus.subscriber(cannot, join)
    late = [batch(4, epoch="e1"), batch(5, epoch="e1")]
    bus.send(late[0], batch(2, epoch="e2"), late[1], batch(3, epoch="e2"))
    assert receive(subscriber, 4) == [[], [2], [], [3]]
    assert subscriber.sources["p1"].epoch == "e2"
    assert len(asked) == 2


def test_a_clock_that_went_back_does_not_silence_a_source(bus):
    join, _ = joining(("p1", "e2", 0), ("p1", "e1", 0))
    subscriber = bus.subscriber(cannot, join)
    bus.send(batch(1, epoch="e2"), batch(1, 2, epoch="e1"), batch(3, epoch="e1"))
    assert receive(subscriber, 3) == [[1], [1, 2], [3]]


def test_of_epochs_that_are_over_the_last_are_remembered_and_an_older_one_is_asked_about(bus):
    last = MOST_OVER + 3
    epochs = [f"e{number:03}" for number in range(last + 1)]
    join, asked = joining(("p1", epochs[0], 0), ("p1", epochs[last], 1))
    subscriber = bus.subscriber(cannot, join)
    bus.send(*(batch(1, epoch=epoch) for epoch in epochs))
    assert receive(subscriber, len(epochs)) == [[1]] * len(epochs)
    assert list(subscriber.sources["p1"].over) == epochs[3:last]
    late = [batch(2, epoch=epochs[3]), batch(2, epoch=epochs[0]), batch(3, epoch=epochs[0])]
    bus.send(*late, batch(2, epoch=epochs[last]))
    assert receive(subscriber, 4) == [[], [], [], [2]]
    assert len(asked) == 2
