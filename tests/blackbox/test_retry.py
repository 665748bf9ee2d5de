"""Clients come back when a stream has told them to (``retry:``), after the last event they saw."""

import re
import subprocess
import threading
import time

import pytest

from tests.blackbox.conftest import SDK
from tests.fakes.stream_server import CHUNKED, answer, answer_and_reset, stream_server
from tests.processes import DEADLINE_S, at_best
from tests.raw_client import RawClient

RETRY_MS = 400
BY_THEMSELVES_S = 2.5  # what both clients wait at least when nobody tells them


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("client", ["sdk", "eventsource"])
def test_a_client_heeds_retry(node, client):
    waited_s = at_best(lambda: away_s(node, client), BY_THEMSELVES_S)
    assert RETRY_MS / 1000 * 0.9 < waited_s < BY_THEMSELVES_S


def away_s(node, client):
    """Return how long a client stays away that was told an event, and then cut."""
    taken, moments = threading.Event(), []

    def timed(script):
        def play(connection):
            moments.append(time.monotonic())
            script(connection)
            moments.append(time.monotonic())

        return play

    first = CHUNKED + chunk(b'retry: %d\nid: 7\ndata: "a"\n\n' % RETRY_MS)
    then = CHUNKED + chunk(b'id: 8\ndata: "b"\n\n')
    with stream_server(timed(answer_and_reset(first, taken)), timed(answer(then))) as server:
        command = [node, "--experimental-eventsource", str(SDK / "retry.mjs"), server.url, client]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
            process.stdout.readline()  # what is not taken by then, a reset throws away
            taken.set()
            _, errors = process.communicate(timeout=DEADLINE_S)
        if "bad option" in errors:
            pytest.skip("this node has no EventSource")
        assert process.returncode == 0, errors
        assert server.header(1, "last-event-id") == "7"
    return moments[2] - moments[1]


def test_every_stream_says_when_to_come_back_and_not_all_the_same(weir):
    said = set()
    for _ in range(20):
        with RawClient(weir.url) as client:
            client.get("/event")
            client.head()
            said.add(client.until(b"data: "))
    waits_ms = {int(re.search(rb"retry: (\d+)\n", words)[1]) for words in said}
    assert 500 <= min(waits_ms) <= max(waits_ms) <= 1500
    assert len(waits_ms) > 10
