"""What `weir bench` makes of the bytes of its streams, and how it judges a server."""

import json
import socket

import pytest

from deploy.bench.crowd import end_of
from deploy.bench.delays import arrivals, summed_up
from deploy.bench.latency import Latency
from deploy.bench.load import Measured
from deploy.bench.reader import BenchReader, StreamEnded
from deploy.bench.received import Received
from deploy.bench.verdict import verdict

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def frame(kind, **properties):
    return b"data: %b\n\n" % json.dumps({"type": kind, "properties": properties}).encode()


def delta(text):
    where = {"sessionID": "ses_1", "messageID": "msg_1", "partID": "prt_1", "field": "text"}
    return frame("message.part.delta", **where, delta=text)


def snapshot(text):
    ids = {"sessionID": "ses_1", "messageID": "msg_1", "id": "prt_1"}
    return frame("message.part.updated", part={**ids, "type": "text", "text": text})


def said(number, sent_ns):
    return f"{number:07d}|{sent_ns:019d}|xx "


def delays(*pieces, since_ns=0):
    return arrivals(Received(), [(0, HEAD), *pieces], since_ns)


def test_a_delta_counts_where_it_comes_first():
    first, second = said(0, 100), said(1, 200)
    whole = (500, snapshot(first + second))
    assert delays((150, delta(first)), (260, delta(second)), whole) == [50, 60]
    assert delays((150, delta(first)), whole) == [50, 300]
    assert delays((210, delta(first + second))) == [110, 10]


def test_a_delta_cut_in_two_counts_when_it_is_whole():
    data = delta(said(0, 100))
    assert delays((150, data[:40]), (170, data[40:])) == [70]


def test_the_deltas_of_an_answer_before_do_not_count():
    old, new = snapshot(said(0, 100) + said(1, 200)), delta(said(0, 300))
    assert delays((310, old), (320, new), since_ns=250) == [20]


def test_titles_count_as_deltas_do():
    changed = frame("session.updated", info={"id": "ses_1", "title": said(0, 100)})
    assert delays((170, changed)) == [70]


def test_delays_are_summed_up_over_readers_with_the_offset_of_their_clock():
    found = summed_up([[1_000_000, 2_000_000], [3_000_000]], 500_000)
    assert (found.deliveries, found.least, found.most) == (3, 1, 2)
    assert (found.least_ms, found.p50, found.max) == (1.5, 2.5, 3.5)
    assert summed_up([[], []], 0).deliveries == 0


class Pair:
    """A door whose streams the test writes to."""

    def __init__(self):
        self.server, self.client = socket.socketpair()

    def stream(self, _route):
        return self.client, HEAD


@pytest.mark.parametrize("framing", [b"", b"\r\n1f40\r\n"], ids=["whole", "chunked"])
@pytest.mark.parametrize("cut", [1, 20, 60])
def test_the_end_is_seen_wherever_it_is_cut(cut, framing):
    door = Pair()
    reader = BenchReader(door, "/event", keeps=True)
    reader.begin(end_of("ses_1").encode())
    data = delta("x") + b'data: {"type":"session.idle","properties":{"sessionID":"ses_1"}}\n\n'
    at = len(data) - 3 - cut
    data = data[:at] + framing + data[at:]
    door.server.send(data[:at])
    assert not reader.receive()
    door.server.send(data[at:])
    assert reader.receive()
    assert reader.done_ns
    assert b"".join(piece for _, piece in reader.take()) == HEAD + data
    assert (reader.size, reader.take()) == (len(data), [])


def test_the_end_is_seen_when_a_chunk_begins_within_it():
    door = Pair()
    reader = BenchReader(door, "/event", keeps=False)
    reader.begin(end_of("ses_1").encode())
    end = end_of("ses_1").encode()
    door.server.send(delta("x") * 100 + end[:30] + b"\r\n2a\r\n" + end[30:] + b"}\n\n\r\n")
    assert reader.receive()


def test_a_stream_that_ends_is_no_stream_that_is_silent():
    door = Pair()
    reader = BenchReader(door, "/event", keeps=False)
    assert not reader.receive()
    door.server.close()
    with pytest.raises(StreamEnded):
        reader.receive()


@pytest.mark.parametrize(
    ("p99", "lost", "well", "words"),
    [
        (5.0, 0, True, "are answered meanwhile"),
        (500.0, 0, True, "are slower meanwhile"),
        (5000.0, 0, False, "STUCK"),
        (float("inf"), 0, False, "got no answer"),
        (5.0, 2, False, "LOST: 2 of the readers"),
    ],
)
def test_a_server_is_judged_in_words(p99, lost, well, words):
    found = verdict([Measured("storm", 1.0, Latency(9, 1.0, p99, p99, p99), lost=lost)])
    assert found.well is well
    assert any(words in line for line in found.words)
