"""A connection as its client uses it: heads and bodies in any pieces, slow ones, unwanted ones."""

import json
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise

import gevent
import pytest
from gevent import socket as gevent_socket

from gateway.door import body, reception, slow_lane, wire
from gateway.door.chunks import MANY_CHUNKS
from gateway.door.door import Door
from gateway.door.networks import Networks
from gateway.door.slots import Slots
from gateway.door.slow_lane import CROWDED_S
from tests.fakes.open_access import open_access
from tests.processes import DEADLINE_S

PING = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
ENDS_WITHIN_S = 20.0


def app(environ, start_response):
    """Answer what was asked, and the body where the path wants one."""
    wanted = environ["PATH_INFO"] == "/read"
    data = b""
    while wanted and (piece := environ["wsgi.input"].read(1 << 20)):
        data += piece
    said = {key: value for key, value in environ.items() if isinstance(value, str)}
    answer = json.dumps({**said, "body": data.decode("latin-1")}).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]


class Client:
    def __init__(self, sock):
        self.sock = sock

    def send(self, data):
        self.sock.sendall(data)

    def rest(self):
        """Return all that is said until the server closes."""
        said = b""
        with gevent.Timeout(ENDS_WITHIN_S), self.sock:
            while data := self.sock.recv(65536):
                said += data
        return said

    def head(self):
        said = b""
        with gevent.Timeout(ENDS_WITHIN_S):
            while not said.endswith(b"\r\n\r\n"):
                said += self.sock.recv(1)
        return said

    def answer(self):
        head = self.head().decode("latin-1").lower()
        size, said = int(head.split("content-length: ")[1].split("\r\n")[0]), b""
        with gevent.Timeout(ENDS_WITHIN_S):
            while len(said) < size:
                said += self.sock.recv(size - len(said))
        return head, json.loads(said)


@contextmanager
def connection(slots=None, door=None):
    ours, theirs = gevent_socket.socketpair()
    slots = slots or Slots(100, 50)
    door = door or Door(app, None, slots, Networks(), open_access())
    serving = gevent.spawn(door.serve, theirs, "192.0.2.1")
    ticking = gevent.spawn(tick, slots)
    try:
        yield Client(ours)
        ours.close()
        serving.join(ENDS_WITHIN_S)
        assert serving.ready(), "the connection has not ended"
        assert not door.fresh | door.served
    finally:
        gevent.killall([serving, ticking])


def tick(slots):
    while True:
        slots.make_room()
        slots.sweep()
        gevent.sleep(0.01)


def test_requests_in_single_bytes_and_in_one_go_are_the_same():
    with connection() as client:
        for pieces in ([PING * 3], [PING[n : n + 1] for n in range(len(PING))] * 3):
            for piece in pieces:
                client.send(piece)
                gevent.sleep(0)
            assert [client.answer()[1]["PATH_INFO"] for _ in range(3)] == ["/ping"] * 3


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"x" * 70_000, b"414"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 14_000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 2_001 + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\nHost: x\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\n\n", b"400"),
        (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", b"400"),
    ],
)
def test_what_can_become_no_head_is_refused_at_once(sent, status):
    with connection() as client:
        client.send(sent)
        said = client.rest()
    assert said.startswith(b"HTTP/1.1 " + status)
    assert json.loads(said.partition(b"\r\n\r\n")[2])["data"]["message"]


def test_a_head_of_any_shape_within_the_bound_passes():
    with connection() as client:
        for filling in (b"a:b\r\n" * 1_900, b"X: " + b"y" * 60_000 + b"\r\n"):
            client.send(b"GET /ping HTTP/1.1\r\n" + filling + b"\r\n")
            assert client.answer()[1]["PATH_INFO"] == "/ping"


@pytest.mark.parametrize(
    ("begin", "piece", "end", "what"),
    [
        (b"GET /ping HTTP/1.1\r\nX: ", b"y", b"\r\n\r\n", "HTTP_X"),
        (b"POST /read HTTP/1.1\r\nContent-Length: 200\r\n\r\n", b"y", b"", "body"),
        (
            b"POST /read HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n",
            b"y",
            b"\r\n0\r\n\r\n",
            "body",
        ),
        (
            b"POST /read HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"1\r\ny\r\n",
            b"0\r\n\r\n",
            "body",
        ),
    ],
    ids=["head", "length", "a-chunk", "chunks"],
)
def test_what_comes_in_very_many_pieces_is_received_now_and_then(
    monkeypatch, begin, piece, end, what
):
    receives = []
    receive = wire.Wire.receive
    monkeypatch.setattr(
        wire.Wire, "receive", lambda *how: receives.append(time.monotonic()) or receive(*how)
    )
    with connection() as client:
        client.send(begin)
        began = time.monotonic()
        for _ in range(200):
            client.send(piece)
            gevent.sleep(0.002)
        client.send(end)
        assert client.answer()[1][what] == "y" * 200
        taken_s = time.monotonic() - began
    assert len(receives) < 20 + taken_s / 0.04


def test_a_body_in_large_pieces_is_received_at_full_speed(monkeypatch):
    monkeypatch.setattr(slow_lane.SlowLane, "gather", lambda _: pytest.fail("this is no trickle"))
    size, pieces = 4000, 100
    with connection() as client:
        client.send(b"POST /read HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (size * pieces))
        for _ in range(pieces):
            client.send(b"y" * size)
            gevent.sleep(0)
        assert len(client.answer()[1]["body"]) == size * pieces


def test_a_head_that_is_not_whole_in_time_is_answered_with_408(monkeypatch):
    monkeypatch.setattr(reception, "HEAD_WITHIN_S", 0.1)
    with connection() as client:
        client.send(PING[:20])
        gevent.sleep(0.06)
        with suppress(OSError):  # it may be too late
            client.send(PING[20:22])  # a piece now and then does not help
        assert client.rest().startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /ping HTTP/1.1\r\nX: ",
        b"POST /read HTTP/1.1\r\nContent-Length: 100000\r\n\r\n",
        b"POST /read HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n",
    ],
    ids=["head", "length", "a-chunk"],
)
def test_what_trickles_without_a_pause_has_an_end(monkeypatch, begin):
    monkeypatch.setattr(reception, "HEAD_WITHIN_S", 0.3)
    monkeypatch.setattr(body, "SILENT_S", 0.3)
    with connection() as client:
        client.send(begin)
        trickling = gevent.spawn(_trickle, client.sock)
        assert client.rest().startswith(b"HTTP/1.1 408 ")
        trickling.kill()


def _trickle(sock):
    with suppress(OSError):
        while True:
            sock.send(b"x")
            gevent.sleep(0.002)


def test_an_idle_connection_is_closed_without_a_word(monkeypatch):
    monkeypatch.setattr(reception, "IDLE_S", 0.1)
    with connection() as client:
        client.send(PING)
        client.answer()
        assert client.rest() == b""


def test_a_body_that_does_not_come_is_answered_with_408(monkeypatch):
    monkeypatch.setattr(body, "SILENT_S", 0.1)
    for framing in (b"Content-Length: 9", b"Transfer-Encoding: chunked"):
        with connection() as client:
            client.send(b"POST /read HTTP/1.1\r\n%b\r\n\r\n5" % framing)
            assert client.rest().startswith(b"HTTP/1.1 408 ")


def test_the_framing_of_chunks_buys_no_time(monkeypatch):
    monkeypatch.setattr(body, "SILENT_S", 0.2)
    monkeypatch.setattr(body, "LEAST_BYTES_S", 100)
    chunk = b"1;" + b"x" * 1000 + b"\r\n \r\n"
    began = time.monotonic()
    with connection() as client:
        client.send(b"POST /read HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            with suppress(OSError):  # it may be too late
                client.send(chunk)
            gevent.sleep(0.01)
        assert client.rest().startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < ENDS_WITHIN_S / 2


def test_all_bodies_in_tiny_chunks_share_one_lane():
    clients, passes = 3, 20
    sent = b"1\r\nx\r\n" * MANY_CHUNKS * passes + b"0\r\n\r\n"
    slots = Slots(100, 50)
    door = Door(app, None, slots, Networks(), open_access())
    began = time.monotonic()
    with ExitStack() as stack:
        some = [stack.enter_context(connection(slots, door)) for _ in range(clients)]
        for client in some:
            client.send(b"POST /read HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + sent)
        for client in some:
            assert client.answer()[1]["body"] == "x" * MANY_CHUNKS * passes
        took_s = time.monotonic() - began
        for client in some:
            client.sock.close()
            gevent.sleep(0.05)
    assert took_s > clients * passes * CROWDED_S


def test_the_more_connections_close_gently_the_less_is_read_from_each(monkeypatch):
    monkeypatch.setattr(wire, "_LINGER_PAUSE_S", 0.1)
    monkeypatch.setattr(wire, "_LINGER_S", 0.6)

    def taken(closing):
        slots = Slots(100, 50)
        slots.closing = closing
        with connection(slots) as client:
            client.send(b"GET / HTTP/1.1\n\n")
            assert client.head().startswith(b"HTTP/1.1 400 ")
            sending = gevent.spawn(_count_until_the_end, client.sock)
            sending.join(ENDS_WITHIN_S)
        assert slots.closing == closing
        return sending.value

    assert taken(0) > taken(9)


def _count_until_the_end(sock):
    """Return how many bytes have been taken until the other side closed."""
    taken = 0
    try:
        while True:
            taken += sock.send(b"x" * 65536)
    except OSError:
        return taken


@pytest.mark.parametrize("framing", [b"Content-Length: 30", b"Transfer-Encoding: chunked"])
def test_a_body_that_no_route_wants_is_not_read_and_ends_the_connection(framing):
    with connection() as client:
        client.send(b"POST /ping HTTP/1.1\r\n%b\r\n\r\n5\r\nGET /" % framing)
        head, _ = client.answer()
        assert "connection: close" in head
        client.send(PING)
        assert client.rest() == b""


def test_an_unwanted_body_that_has_come_whole_ends_no_connection():
    bodies = (
        b"Content-Length: 2\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n",
    )
    with connection() as client:
        for body_sent in bodies:
            client.send(b"POST /ping HTTP/1.1\r\n" + body_sent)
            head, _ = client.answer()
            assert "connection: close" not in head


def test_a_client_that_sends_without_an_end_gets_its_answer_and_its_end():
    with connection() as client:
        client.send(b"POST /ping HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        sending = gevent.spawn(_send_for_ever, client.sock)
        assert client.answer()[1]["PATH_INFO"] == "/ping"
        sending.join(DEADLINE_S)
        assert sending.ready()


def _send_for_ever(sock):
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    try:
        while True:
            sock.sendall(chunk)
    except OSError:
        return


def test_the_client_is_told_to_go_on_only_where_its_body_is_wanted():
    expecting = b"POST %b HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with connection() as client:
        client.send(expecting % b"/read")
        assert client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"ok")
        assert client.answer()[1]["body"] == "ok"
        client.send(expecting % b"/ping")
        assert "connection: close" in client.answer()[0]


def test_an_environ_takes_no_twin_with_an_underscore_for_a_header():
    twins = b"Content_Length: 7\r\nAuthorization_: x\r\nX_Real: 1\r\nScript_Name: /ping\r\n"
    with connection() as client:
        client.send(b"GET /ping HTTP/1.1\r\nX-Real: 2\r\nX-Real: 3\r\n" + twins + b"\r\n")
        environ = client.answer()[1]
    assert environ["HTTP_X_REAL"] == "2,3"
    assert environ["SCRIPT_NAME"] == ""
    assert not {"CONTENT_LENGTH", "HTTP_CONTENT_LENGTH", "HTTP_SCRIPT_NAME"} & environ.keys()


def test_many_clients_that_send_in_tiny_pieces_wake_one_after_the_other(monkeypatch):
    pauses = []
    monkeypatch.setattr(gevent, "sleep", pauses.append)
    lane = slow_lane.SlowLane()
    began = time.monotonic()
    for _ in range(2000):
        lane.gather()
    took = time.monotonic() - began
    steps = [later - sooner for sooner, later in pairwise(pauses[:900])]
    assert pauses[0] == pytest.approx(0.05)
    assert min(steps) > 0.002 - took
    assert sum(steps) == pytest.approx(899 * 0.002, abs=took + 0.001)
    assert max(pauses) == pytest.approx(2.0)  # a head has 10 s
