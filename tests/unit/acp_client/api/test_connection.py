"""A server that sends without an end keeps nobody: every answer has a deadline."""

import time
from contextlib import suppress

import pytest

from acp_client.api.server import AnswerLost, Server
from acp_client.api.stream import EventStream
from bus.origin import Origin
from deploy.doctor.examined_server import ExaminedServer
from tests.fakes.stream_server import STREAM, answer, stream_server
from tests.processes import DEADLINE_S

ENOUGH_S = 0.2
SILENCE_S = 2.0
"""A server that is held up for less than this, on a busy machine, does not count as silent."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def endless(first, again):
    """Send `again` for ever, several times in each silence that is allowed."""

    def script(connection):
        end = time.monotonic() + DEADLINE_S
        with suppress(OSError):
            connection.sendall(first)
            while time.monotonic() < end:
                connection.sendall(again)
                time.sleep(ENOUGH_S / 10)

    return script


WITHOUT_END = {
    "continue": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "status line": endless(b"HTTP/1.1 200 ", b"O"),
    "header": endless(HEAD + b"X: ", b"x"),
    "body": endless(HEAD + b"\r\n", b" "),
}


@pytest.fixture(params=WITHOUT_END)
def server(request, monkeypatch):
    monkeypatch.setattr("acp_client.api.server._BODY_WITHIN_S", ENOUGH_S)
    # Clients come again, and may give up a connection that a slow machine has not yet answered.
    answers = [answer(STREAM + b"data: a\n\n")] * 100
    with stream_server(WITHOUT_END[request.param], *answers) as one:
        began = time.monotonic()
        yield one
        assert time.monotonic() - began < DEADLINE_S


def test_a_question_has_an_end(server):
    with pytest.raises(AnswerLost, match="has not ended its answer"):
        Server(Origin.parse(server.url)).ask("GET", "/session", timeout_s=SILENCE_S)


def test_a_check_of_the_doctor_has_an_end(server):
    with pytest.raises(TimeoutError):
        ExaminedServer(Origin.parse(server.url), ENOUGH_S).json("/global/health")


@pytest.mark.parametrize("server", ["status line"], indirect=True)
def test_a_body_that_is_announced_has_an_end(server):
    with pytest.raises(TimeoutError):
        ExaminedServer(Origin.parse(server.url), ENOUGH_S).announce("/weir/livez", 1)


@pytest.mark.parametrize("server", ["continue", "status line", "header"], indirect=True)
def test_a_stream_is_asked_for_again(server):
    stream = EventStream(Origin.parse(server.url), answer_s=ENOUGH_S, pause=lambda _: None)
    assert next(iter(stream)).data == b"a"
