"""The door of a real gateway: unwanted bodies, a password before them, proxies in front."""

import threading
import time
from contextlib import suppress

import pytest

from tests.blackbox.proxied import headers_of, proxied
from tests.fakes.http_upstream import OK, answer
from tests.http_client import call
from tests.processes import at_best, running
from tests.sse_client import SseClient

_CHUNK = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
_ENDS_WITHIN_S = 60.0


@pytest.fixture(scope="module")
def protected():
    with proxied(url="http://opencode:s3cret@127.0.0.1:{port}") as weir:
        yield weir


@pytest.fixture(scope="module")
def trusting():
    with proxied("--trusted-proxies", "10.0.0.0/8, 127.0.0.1") as weir:
        yield weir


def _send_for_ever(weir, path, statuses):
    began = time.monotonic()
    with weir.client() as client:
        client.send(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode())
        client.send(b"Transfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            while time.monotonic() < began + _ENDS_WITHIN_S:
                client.send(_CHUNK)
        statuses.append((client.head()[0], time.monotonic() - began < _ENDS_WITHIN_S))


@pytest.mark.parametrize(
    ("path", "status"), [("/event", 401), ("/metrics", 401), ("/weir/livez", 405)]
)
def test_a_body_without_an_end_is_answered_and_ended_and_holds_up_nobody(protected, path, status):
    statuses = []
    senders = [
        threading.Thread(target=_send_for_ever, args=(protected, path, statuses)) for _ in range(2)
    ]
    for sender in senders:
        sender.start()

    def asked_s():
        began = time.monotonic()
        assert call("GET", f"{protected.url}/weir/livez").status == 200
        return time.monotonic() - began

    assert at_best(asked_s, 0.5) < 0.5
    for sender in senders:
        sender.join()
    assert [line.split()[1] for line, ended in statuses if ended] == [str(status)] * 2
    assert protected.gateway.running.output.count("Booting worker") == 1


def test_a_trusted_proxy_says_where_a_request_came_from(trusting):
    trusting.upstream.play(answer(OK))
    said = ["X-Forwarded-Host: chat.example", "X-Forwarded-Proto: https", "X-Forwarded-For: ::7"]
    with trusting.client() as client:
        client.get("/session", *said)
        assert client.head()[0] == "HTTP/1.1 200 OK"
    headers = headers_of(trusting.upstream.heads[0])
    assert headers["x-forwarded-host"] == "chat.example"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-for"] == "::7, 127.0.0.1"


def test_a_reader_behind_a_trusted_proxy_has_the_address_that_the_proxy_reports(trusting):
    with SseClient(f"{trusting.url}/global/event", {"X-Forwarded-For": "192.0.2.7"}) as stream:
        stream.next()
        [reader] = call("GET", f"{trusting.url}/weir/readers").body["readers"]
    assert reader["address"] == "192.0.2.7"


def test_a_proxy_that_is_no_address_is_refused_at_the_start(tmp_path):
    flags = ["--bus", "ipc:///tmp/x", "--trusted-proxies", "10.0.0.1/8"]
    with running("-m", "gateway", *flags, log=tmp_path / "log") as process:
        assert process.ends() == 2
    (line,) = process.output.splitlines()
    assert "--trusted-proxies" in line
    assert "10.0.0.1/8" in line
