"""A server that always has more to say keeps nobody from running."""

import io
import time

import gevent
import pytest
import urllib3

from processor.fair_reads import fair

TOO_LATE_S = 5.0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Endless(io.RawIOBase):
    """Says the same over and over, and is never waited for."""

    def __init__(self, words: bytes) -> None:
        self._words = words
        self._until = time.monotonic() + TOO_LATE_S

    def readinto(self, buffer):
        if time.monotonic() > self._until:
            raise TimeoutError("no other greenlet ran")
        whole = len(buffer) // len(self._words) * len(self._words)
        buffer[:whole] = self._words * (whole // len(self._words))
        return whole

    def readable(self):
        return True

    def makefile(self, mode):
        return io.BufferedReader(self)


def response_of(scheme: str, words: bytes):
    pool = fair(urllib3.PoolManager()).connection_from_url(f"{scheme}://127.0.0.1:1")
    return pool.ConnectionCls.response_class(Endless(words), method="GET")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_deadline_ends_answers_before_the_answer(scheme):
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.1):
        response_of(scheme, CONTINUE).begin()


def test_a_deadline_ends_a_body_without_an_end():
    response = response_of("http", b"1\r\n:\r\n")
    response.chunked, response.chunk_left, response.length = True, None, None
    with pytest.raises(gevent.Timeout), gevent.Timeout(0.1):
        response.read()
