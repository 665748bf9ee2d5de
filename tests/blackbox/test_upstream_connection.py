"""Getting to an upstream, losing it, and what the processor says of it meanwhile."""

import shutil
import ssl
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from bus.answers import CommandFailed
from bus.commands import SessionGet, Statuses
from tests.blackbox.processor_driver import processor, refused
from tests.blackbox.relay import Relay, relay
from tests.fakes.upstream import HEARTBEAT, sse, upstream
from tests.processes import free_port, wait_until

PASSWORD = "a secret: ü@/"


def basic(user: str) -> str:
    return "Basic " + b64encode(f"{user}:{PASSWORD}".encode()).decode()


def connected_s(one: Relay) -> float:
    seconds: float = one.readiness()["upstream"]["connected_s"]
    return seconds


def until_told(one: Relay, words: str) -> str:
    def told() -> str:
        return next((why for why in one.readiness()["reasons"] if words in why), "")

    return wait_until(told, what=f"the reason {words!r}")


def test_an_upstream_that_is_not_there_is_told_and_found_later(tmp_path: Path):
    port = free_port()
    with relay(tmp_path, f"http://127.0.0.1:{port}") as one:
        why = until_told(one, "refuses connections; no connection for")
        assert why.startswith(f"upstream http://127.0.0.1:{port} ")
        body = wait_until(lambda: (b := one.readiness())["upstream"]["attempts"] >= 2 and b)
        assert body["ready"] is False
        assert body["upstream"]["version"] is None
        with upstream(port) as fake:
            fake.wait_connected()
            one.until_healed()
            assert one.readiness()["ready"] is True
        until_told(one, "no connection for")


def test_a_date_that_cannot_be_costs_nothing_but_the_time(tmp_path: Path):
    with upstream() as fake:
        fake.server.date = "Fri, 20 Nov 2026 09:00:00 +99999999999999999999"
        with relay(tmp_path, fake.url) as one:
            one.until_healed()
            assert one.readiness()["ready"] is True
            assert "Traceback" not in one.processor.log


def test_silence_is_death_and_a_heartbeat_is_life(tmp_path: Path):
    with upstream() as fake, relay(tmp_path, fake.url, "--upstream-silence", "5") as one:
        fake.wait_connected()
        for half_seconds in range(1, 12):
            fake.send(sse(HEARTBEAT))
            wait_until(lambda s=half_seconds / 2: connected_s(one) > s)
        assert fake.server.connections == 1
        fake.wait_connected(2)
        one.until_healed(1)
        assert "is silent for 5 s" in one.processor.log


def test_bytes_that_never_become_an_event_are_silence(tmp_path: Path):
    with upstream() as fake, relay(tmp_path, fake.url, "--upstream-silence", "3") as one:
        fake.wait_connected()

        def trickle() -> bool:
            fake.send(b": still here\n")
            return fake.server.connections >= 2

        wait_until(trickle)
        one.until_healed(1)


def test_an_upstream_that_ends_its_stream_is_asked_again(tmp_path: Path):
    with upstream() as fake, relay(tmp_path, fake.url) as one:
        for times in (1, 2):
            fake.wait_connected(times)
            fake.end()
            # It is told for a moment only: soon there is another stream.
            wait_until(
                lambda n=times: one.processor.log.count("ended the stream") >= n,
                what="a word about the end",
            )
        fake.wait_connected(3)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, "application/json", "OPENCODE_SERVER_PASSWORD"),
        (200, "text/html", "is it an opencode?"),
        (502, "text/plain", "answers 502"),
    ],
)
def test_an_answer_that_is_no_stream_is_told(tmp_path: Path, status: int, kind: str, words: str):
    with upstream() as fake:
        fake.server.refusal = status, kind
        with relay(tmp_path, fake.url) as one:
            until_told(one, words)
            fake.server.refusal = None
            one.until_healed()


def test_the_password_of_the_environment_is_sent_and_shown_nowhere(tmp_path: Path):
    with upstream() as fake:
        fake.server.password = basic("opencode")
        env = {"OPENCODE_SERVER_PASSWORD": PASSWORD}
        with relay(tmp_path, fake.url, "--log-level", "debug", **env) as one:
            one.until_healed()
            assert "secret" not in one.processor.log + str(one.readiness())


def test_the_password_of_the_url_wins(tmp_path: Path):
    with upstream() as fake:
        fake.server.password = basic("me")
        url = fake.url.replace("://", "://me:a%20secret%3A%20%C3%BC%40%2F@")
        env = {"OPENCODE_SERVER_PASSWORD": "another", "OPENCODE_SERVER_USERNAME": "you"}
        with relay(tmp_path, url, "--log-level", "debug", **env) as one:
            one.until_healed()
            assert one.readiness()["upstream"]["url"] == fake.url
            assert "secret" not in one.processor.log + str(one.readiness())


def test_tls_with_a_certificate_that_is_trusted(tmp_path: Path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    who = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make.split(), *who, *files], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with upstream(tls=tls) as fake:
        with relay(tmp_path, fake.url, SSL_CERT_FILE=str(certificate)) as one:
            one.until_healed()
            fake.say(event := {"payload": {"type": "test.done", "properties": {}}})
            assert one.until_count(1) == [event]
        with relay(tmp_path, fake.url) as one:
            until_told(one, "cannot be trusted")


def test_commands_of_sessions_are_for_the_upstream(tmp_path: Path):
    with upstream() as fake, relay(tmp_path, fake.url) as one:
        for command in (SessionGet("ses_1"), Statuses()):
            with pytest.raises(CommandFailed) as failed:
                one.processor.ask(command)
            assert failed.value.kind == "invalid"
            assert "relays an upstream" in failed.value.message
            assert fake.url in failed.value.message


def test_a_processor_with_turns_of_its_own_is_ready(tmp_path: Path):
    with processor(tmp_path) as one:
        body = Relay(one).readiness()
        assert (body["ready"], body["reasons"]) == (True, [])
        assert "upstream" not in body


def test_two_relays_do_not_share_a_bus(tmp_path: Path):
    with upstream() as fake, relay(tmp_path, fake.url) as one:
        status, said = refused("--bus", one.processor.bus, "--upstream", fake.url)
        assert status == 1
        assert "--bus" in said
        assert said.count("\n") == 1
