"""An upstream that is not there, hangs or dies; a client that leaves."""

import socket
import ssl
import subprocess
import threading

import pytest

from tests.blackbox.proxied import header, headers_of, proxied
from tests.fakes.http_upstream import OK, answer
from tests.processes import DEADLINE_S, free_port, wait_until

BEGUN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture(scope="module")
def weir():
    with proxied() as running:
        yield running


@pytest.fixture(scope="module")
def hasty():
    """One that soon asks an upstream that is silent whether it lives."""
    with proxied("--upstream-timeout", "1.5") as running:
        yield running


def health(weir):
    with weir.client() as client:
        client.get("/global/health")
        return client.json()[0]


def ask(weir, target="/x", *headers, method="GET"):
    with weir.client() as client:
        client.get(target, *headers, method=method)
        return client.json()


def test_an_upstream_that_refuses_is_502_in_words_and_pages_may_read_it():
    url = f"http://127.0.0.1:{free_port()}"
    with proxied(url=url) as weir:
        status, head, body = ask(weir, "/session?secret=1", "Origin: http://localhost:3000")
        assert status == 502
        assert header(head, "Content-Type") == ["application/json"]
        assert header(head, "Access-Control-Allow-Origin") == ["http://localhost:3000"]
        assert body["name"] == "BadGatewayError"
        assert "refuses connections" in body["data"]["message"]
        assert url in body["data"]["message"]
        assert health(weir) == 200
        assert "secret" not in weir.gateway.running.output
        with weir.client() as client:  # the connection serves on, and HEAD has no body
            client.get("/x", method="HEAD")
            assert client.head()[0] == "HTTP/1.1 502 Bad Gateway"
            client.get("/x")
            assert client.json()[0] == 502


def test_a_name_that_cannot_be_resolved_is_502():
    with proxied(url="http://no-such-host.invalid:4096") as weir:
        status, _, body = ask(weir)
    assert status == 502
    assert "cannot be resolved" in body["data"]["message"]


def test_tls_is_spoken_and_an_upstream_without_it_or_with_a_bad_certificate_is_502(
    tmp_path, monkeypatch
):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    make += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    def over_tls(talk):
        talk.connection = tls.wrap_socket(talk.connection, server_side=True)
        answer(OK)(talk)

    with proxied(url="https://localhost:{port}") as weir:
        weir.upstream.play(lambda talk: talk.say(OK))
        status, _, body = ask(weir)
        assert status == 502
        assert "TLS" in body["data"]["message"]
        weir.upstream.play(over_tls)
        status, _, body = ask(weir)
        assert status == 502
        assert "certificate" in body["data"]["message"]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with proxied(url="https://localhost:{port}") as weir:
        weir.upstream.play(over_tls)
        with weir.client() as client:
            for _ in range(3):
                client.get("/x")
                assert client.head()[0] == "HTTP/1.1 200 OK"
                assert client.read(2) == b"ok"


def test_a_silent_upstream_is_504(hasty):
    hasty.upstream.play(lambda talk: talk.until_gone())
    status, _, body = ask(hasty)
    assert status == 504
    assert body["name"] == "DeadlineExceededError"
    assert health(hasty) == 200


def test_a_request_held_open_is_waited_for_as_long_as_the_upstream_answers_others(hasty):
    probes, enough = [], threading.Event()

    def script(talk):
        head = talk.head()
        if head.startswith(b"GET /global/health"):
            probes.append(head)
            if len(probes) == 3:
                enough.set()
        else:
            enough.wait(DEADLINE_S)
        talk.say(OK)

    hasty.upstream.play(script)
    with hasty.client() as client:
        client.get("/session/ses_1/message", "Content-Length: 0", method="POST")
        assert client.head()[0] == "HTTP/1.1 200 OK"
    assert len(probes) >= 3


def test_a_body_that_falls_silent_with_its_upstream_is_cut(hasty):
    def script(talk):
        if talk.number == 0:
            talk.head()
            talk.say(BEGUN + b"some")
        talk.until_gone()

    hasty.upstream.play(script)
    with hasty.client() as client:
        client.get("/x")
        got, _ = client.rest()
    assert got.endswith(b"some")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200", b"nonsense\r\n\r\n", b"\x00" * 100])
def test_an_upstream_that_dies_before_its_head_is_502(weir, said):
    def script(talk):
        talk.head()
        talk.say(said)

    weir.upstream.play(script)
    status, _, body = ask(weir)
    assert status == 502
    assert body["data"]["message"]


def test_a_reset_before_the_head_and_a_head_without_end_are_502(weir):
    def reset(talk):
        talk.head()
        talk.reset()

    def endless(talk):
        talk.head()
        talk.say(b"HTTP/1.1 200 OK\r\n" + b"X-Y: " + b"z" * 200_000)

    for script in (reset, endless):
        weir.upstream.play(script)
        assert ask(weir)[0] == 502


def test_a_switch_of_protocols_that_nobody_asked_for_is_502(weir):
    weir.upstream.play(answer(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"))
    assert ask(weir)[0] == 502


def test_a_tunnel_is_501(weir):
    with weir.client() as client:
        client.send(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert client.json()[0] == 501


@pytest.mark.parametrize("leave", ["end", "reset"])
@pytest.mark.parametrize("said", [b"", BEGUN])
def test_a_client_that_leaves_closes_the_upstream_request_at_once(weir, leave, said):
    """Also where the upstream has said nothing, and has nothing to say for long."""
    begun, gone = threading.Event(), []

    def script(talk):
        talk.head()
        talk.say(said)
        begun.set()
        talk.until_gone()
        gone.append(talk.gone)

    weir.upstream.play(script)
    with weir.client() as client:
        client.get("/x")
        assert begun.wait(DEADLINE_S)
        if said:
            client.head()
        if leave == "reset":
            client.reset()
    # Less than the time after which the upstream would be asked whether it lives: a minute.
    wait_until(lambda: gone, what="the end of the upstream request")


def test_a_client_that_leaves_in_the_middle_of_its_body_closes_the_upstream_request(weir):
    got = []

    def script(talk):
        size = int(headers_of(talk.head())["content-length"])
        got.append((size, talk.read(size)))

    weir.upstream.play(script)
    with weir.client() as client:
        client.send(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nfirst")
        wait_until(lambda: weir.upstream.heads, what="the head")
    wait_until(lambda: got)
    assert got == [(100, b"first")]


def test_a_client_that_reads_nothing_holds_the_upstream_back(weir):
    """The upstream may fill the kernel's buffers, and then has to wait."""
    written, stuck = [0], threading.Event()

    def script(talk):
        talk.head()
        talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        talk.connection.settimeout(1.0)
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        try:
            while written[0] < 1 << 30:
                written[0] += talk.connection.send(piece)
        except TimeoutError:
            stuck.set()

    weir.upstream.play(script)
    with weir.client() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.get("/x")
        assert stuck.wait(DEADLINE_S)
        assert written[0] < 64 << 20
        assert health(weir) == 200


def test_a_worker_that_stops_cuts_what_it_carries_and_adds_nothing():
    def script(talk):
        talk.head()
        talk.say(BEGUN + b"some")
        talk.until_gone()

    with proxied() as weir:
        weir.upstream.play(script)
        with weir.client() as client:
            client.get("/x")
            client.head()
            assert client.read(4) == b"some"
            weir.gateway.running.process.terminate()
            assert client.rest()[0] == b""
        assert weir.gateway.running.ends() == 0
