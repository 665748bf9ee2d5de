"""The body of a response: what is late is not lost, and nothing is left behind."""

import time

import gevent
import pytest
from gevent.queue import Queue
from urllib3.exceptions import ProtocolError

from processor.engines.body import ModelResponse
from tests.processes import DEADLINE_S

SOON_S, LATE_S = DEADLINE_S, 0.01


class Response:
    """Says what a test puts into its queue; `b""` is the end."""

    def __init__(self, **headers):
        self.headers = headers
        self.said = Queue()
        self.decoded = None
        self.waits = False
        self.ended = None

    def read1(self, amount, decode_content):
        self.decoded = decode_content
        self.waits = True
        try:
            said = self.said.get()
        finally:
            self.waits = False
        if isinstance(said, Exception):
            raise said
        return said

    def release_conn(self):
        self.ended = "released"

    def close(self):
        self.ended = "closed"


@pytest.fixture
def response():
    return Response()


@pytest.fixture
def body(response):
    return ModelResponse(response)


def test_pieces_come_in_order_and_then_the_end(response, body):
    for said in (b"one", b"two", b""):
        response.said.put(said)
    assert [body.read(SOON_S) for _ in range(4)] == [b"one", b"two", b"", b""]
    body.close()
    assert response.ended == "released"


def test_a_piece_that_comes_while_it_is_waited_for_is_returned_at_once(response, body):
    gevent.spawn_later(LATE_S, response.said.put, b"one")
    began = time.monotonic()
    assert body.read(SOON_S) == b"one"
    assert time.monotonic() - began < SOON_S / 2


def test_what_is_late_is_the_next_to_be_returned(response, body):
    assert body.read(LATE_S) is None
    assert body.read(0.0) is None
    response.said.put(b"one")
    gevent.sleep(LATE_S)  # it comes while nobody asks for it
    response.said.put(b"two")
    assert [body.read(SOON_S), body.read(SOON_S), body.read(LATE_S)] == [b"one", b"two", None]


@pytest.mark.parametrize("late", [True, False])
def test_a_connection_that_breaks_is_told_to_who_asks_next(response, body, late):
    if late:
        assert body.read(LATE_S) is None
    response.said.put(ProtocolError("cut"))
    gevent.sleep(LATE_S)
    with pytest.raises(ProtocolError):
        body.read(SOON_S)
    body.close()
    assert response.ended == "closed"


@pytest.mark.parametrize("asked", [0, 1])
def test_a_body_that_is_not_read_to_its_end_is_closed_and_nothing_waits_for_it(
    response, body, asked
):
    for _ in range(asked):
        assert body.read(LATE_S) is None
    body.close()
    assert (response.ended, response.waits) == ("closed", False)
    response.said.put(b"one")
    gevent.sleep(LATE_S)
    assert response.said.qsize() == 1


def test_a_reader_that_is_killed_while_it_waits_closes_the_body(response, body):
    def read():
        try:
            body.read(SOON_S)
        finally:
            body.close()

    reading = gevent.spawn(read)
    gevent.sleep(LATE_S)
    assert response.waits
    reading.kill(timeout=SOON_S)
    assert (response.ended, response.waits, reading.dead) == ("closed", False, True)


def test_the_wait_is_over_in_time_while_other_greenlets_run(body):
    ran = []
    gevent.spawn(ran.append, 1)
    assert body.read(LATE_S) is None
    assert ran


@pytest.mark.parametrize(("headers", "decoded"), [({}, False), ({"content-encoding": "x"}, True)])
def test_only_a_body_that_is_encoded_is_decoded(headers, decoded):
    response = Response(**headers)
    response.said.put(b"one")
    assert ModelResponse(response).read(SOON_S) == b"one"
    assert response.decoded is decoded
