"""`--tls-cert` and `--tls-key`: streams, the proxy and WebSockets over TLS, and how they end."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from tests.blackbox.proxied import headers_of, proxied
from tests.blackbox.source import MARKER
from tests.blackbox.weir_up import weir_up
from tests.fakes.http_upstream import OK, answer
from tests.processes import DEADLINE_S, ROOT, refused, running, wait_until
from tests.raw_client import RawClient
from tests.sse_client import SseClient
from tests.tls import TlsClient, certificate, trusting
from tests.websocket import ASKS, SWITCHES

LARGE = os.urandom(3_000_000)
EVENTS = 3000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


def over_tls(files):
    return ("--tls-cert", str(files[0]), "--tls-key", str(files[1]))


@pytest.fixture(scope="module")
def weir(files):
    with proxied(*over_tls(files), "--stall-timeout", "2", "--log-level", "debug") as running:
        yield running


@pytest.fixture
def client(weir, files):
    with TlsClient(weir.url, files[0]) as connected:
        yield connected


def status(weir, files):
    with TlsClient(weir.url, files[0]) as asking:
        asking.get("/weir/status", "Connection: close")
        head, _, body = asking.rest()[0].partition(b"\r\n\r\n")
        assert b" 200 " in head
        return json.loads(body)


def streams(weir, files):
    return status(weir, files)["workers"][0]["readers"]


def test_requests_of_one_connection_pass_and_the_upstream_learns_of_https(weir, client):
    weir.upstream.play(answer(OK))
    for _ in range(2):
        client.get("/session")
        assert client.head()[0] == "HTTP/1.1 200 OK"
        assert client.read(2) == b"ok"
    assert headers_of(weir.upstream.heads[1])["x-forwarded-proto"] == "https"


def test_a_large_body_passes_both_ways(weir, client):
    def script(talk):
        talk.head()
        body = talk.read(len(LARGE))
        talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        talk.say(body)

    weir.upstream.play(script)
    client.get("/file", f"Content-Length: {len(LARGE)}", method="POST")
    client.send(LARGE)  # in this thread: OpenSSL's connections are not safe between threads
    client.head()
    assert hashlib.sha256(client.read(len(LARGE))).digest() == hashlib.sha256(LARGE).digest()


def test_a_reader_that_pauses_during_a_storm_gets_every_event(weir, files):
    """Megabytes wait behind the socket: most writes are taken in part."""
    tls = trusting(files[0])
    with SseClient(f"{weir.url}/global/event", tls=tls) as stream:
        stream.next()
        filler = "x" * 2000
        for start in range(0, EVENTS, 100):
            weir.gateway.source.publish(
                {**MARKER, "properties": {"number": number, "filler": filler}}
                for number in range(start, start + 100)
            )
        got = [json.loads(stream.next().data)["payload"]["properties"] for _ in range(EVENTS)]
    assert [one["number"] for one in got] == list(range(EVENTS))
    assert {one["filler"] for one in got} == {filler}


def test_a_reader_that_leaves_is_noticed_at_once(weir, files):
    with SseClient(f"{weir.url}/global/event", tls=trusting(files[0])) as stream:
        stream.next()
        assert streams(weir, files) == 1
    wait_until(lambda: streams(weir, files) == 0, what="the reader to be gone")


def test_a_reader_that_reads_nothing_is_reset(weir, files):
    before = status(weir, files)["counts"]["evictions"].get("stalled", 0)
    with TlsClient(weir.url, files[0]) as stuck:
        stuck.get("/global/event")
        stuck.until(b"server.connected")

        def evicted():
            event = {**MARKER, "properties": {"filler": "x" * 60_000}}
            weir.gateway.source.publish([event] * 20)
            return status(weir, files)["counts"]["evictions"].get("stalled", 0) > before

        wait_until(evicted, what="the reset")
        assert stuck.end_below_tls() == "reset"


def test_a_client_that_leaves_during_a_long_request_ends_it_at_the_upstream(weir, files):
    gone, begun = [], threading.Event()

    def script(talk):
        talk.head()
        begun.set()
        gone.append(talk.until_gone())

    weir.upstream.play(script)
    with TlsClient(weir.url, files[0]) as leaving:
        leaving.get("/held")
        assert begun.wait(DEADLINE_S)
        leaving.socket.settimeout(0.1)
        with suppress(OSError):
            leaving.socket.unwrap()  # says goodbye, and does not wait for long for an answer
    wait_until(lambda: gone, what="the end at the upstream")


def test_a_websocket_passes_bytes_both_ways_and_half_an_end(weir, client):
    def script(talk):
        talk.head()
        talk.say(SWITCHES)
        talk.say(talk.read(len(LARGE)))

    weir.upstream.play(script)
    client.get("/pty/p/connect", *ASKS)
    assert "101" in client.head()[0]
    client.send(LARGE)
    assert client.rest() == (LARGE, "end")


def test_plain_http_is_told_so_and_garbage_is_ended(weir, client):
    with RawClient(weir.url) as plain:
        plain.get("/session")
        data, _ = plain.rest()
    assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"use https://" in data
    with RawClient(weir.url) as odd:
        odd.send(b"\x16\x03\x01\x00\x05hello")
        assert odd.rest()[0][:1] in (b"", b"\x15")  # an alert at most
    client.get("/weir/livez")  # others are served
    assert client.json()[0] == 200
    assert "TLS with 127.0.0.1 failed" in weir.gateway.running.output


def test_silent_clients_keep_nobody_waiting(weir, client):
    silent = [RawClient(weir.url) for _ in range(50)]
    try:
        client.get("/weir/livez")
        assert client.json()[0] == 200
    finally:
        for one in silent:
            one.socket.close()


def test_a_reload_reads_the_certificate_again_and_a_bad_one_keeps_the_old(tmp_path):
    files = certificate(tmp_path, "first")
    (tmp_path / "new").mkdir()
    new = certificate(tmp_path / "new", "second")

    def shown():
        with TlsClient(weir.url, trusted) as asking:
            [[[_, name]]] = asking.socket.getpeercert()["subject"]
            return name

    with proxied(*over_tls(files)) as weir:
        trusted = tmp_path / "both.pem"
        trusted.write_bytes(files[0].read_bytes() + new[0].read_bytes())
        assert shown() == "first"
        gateway = weir.gateway.running
        shutil.copy(new[0], files[0])  # and not its key yet
        gateway.process.send_signal(signal.SIGHUP)
        gateway.says("is not the key of the certificate")
        wait_until(lambda: gateway.output.count("Booting worker") == 2, what="the new worker")
        assert shown() == "first"
        shutil.copy(new[1], files[1])
        gateway.process.send_signal(signal.SIGHUP)
        wait_until(lambda: shown() == "second", what="the new certificate")


def test_a_worker_that_stops_resets_its_streams(files):
    flags = (*over_tls(files), "--drain", "0.5")
    with proxied(*flags) as weir, TlsClient(weir.url, files[0]) as reading:
        reading.get("/global/event")
        reading.until(b"server.connected")
        weir.gateway.running.process.send_signal(signal.SIGTERM)
        assert reading.end_below_tls() == "reset"


@pytest.mark.parametrize("command", [("up",), ("gateway", "--bus", "ipc:///tmp/none")])
def test_a_certificate_that_cannot_be_used_is_one_line(command, files, tmp_path):
    where = ["--state", str(tmp_path / "state")] if command == ("up",) else []
    code, said = refused("-m", "deploy.cli", *command, *where, "--tls-cert", str(files[0]))
    assert code != 0
    assert said.strip().count("\n") == 0
    assert "--tls-key: missing" in said


def test_weirs_own_clients_trust_it_by_ssl_cert_file(files, tmp_path):
    env = {"SSL_CERT_FILE": str(files[0])}
    with weir_up(tmp_path, *over_tls(files), "--base-path", "/weir-app") as up:
        assert up.url.startswith("https://127.0.0.1:")
        assert up.url.endswith("/weir-app")
        command = ["-m", "deploy.cli"]
        with running(*command, "tail", "--url", up.url, log=tmp_path / "tail", env=env) as tail:
            made = TlsClient(up.url, files[0])
            with made:
                made.get("/weir-app/session", "Content-Length: 0", method="POST")
                title = made.json()[2]["title"]

            def seen():
                return title in tail.output

            wait_until(seen, what="the session")
        doctor = [sys.executable, *command, "doctor", "--url", up.url, "--hold=0"]
        done = subprocess.run(
            doctor, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
