"""What the container does when a start fails, at a stop, and when docker asks for its health."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.processes import DEADLINE_S, free_port, wait_until
from tests.unit.deploy.container import service

STOPS = signal.SIGTERM, signal.SIGINT, signal.SIGHUP


class Alive(BaseHTTPRequestHandler):
    """A weir that is alive, though its upstream is away."""

    def do_GET(self):
        self.send_response(200 if self.path == "/weir/livez" else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def container(tmp_path):
    """Runs the container's command, with a script in place of weir."""

    @contextmanager
    def run(script):
        weir = tmp_path / "weir"
        weir.write_text(f"#!/bin/sh\necho started >>{tmp_path}/log\n{script}\n")
        weir.chmod(0o755)
        process = subprocess.Popen(
            service()["command"],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            stderr=subprocess.PIPE,
            text=True,
            # A shell cannot trap what was ignored when it started: under nohup, or behind `&`.
            preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in STOPS],
        )
        wait_until((tmp_path / "log").exists)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    return run


def check_health(port):
    kind, *command = service()["healthcheck"]["test"]
    assert kind == "CMD"
    assert "4097" in command[-1]
    command = [sys.executable, *command[1:-1], command[-1].replace("4097", str(port))]
    proxy = f"http://127.0.0.1:{free_port()}"
    env = {
        **os.environ,
        **dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), proxy),
    }
    return subprocess.run(command, env=env, capture_output=True, timeout=DEADLINE_S).returncode


def test_after_a_reboot_the_container_starts_again():
    assert service()["restart"] in ("always", "unless-stopped")


def test_settings_that_are_refused_are_tried_once(container, tmp_path):
    with container("echo 'weir up: --port: refused' >&2; exit 2") as process:
        lines = [process.stderr.readline(), process.stderr.readline()]
        assert lines[0] == "weir up: --port: refused\n"
        assert "change them" in lines[1]
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == -signal.SIGTERM
    assert (tmp_path / "log").read_text() == "started\n"


@pytest.mark.parametrize("status", [0, 1, 137])
def test_any_other_end_is_the_end_of_the_container(container, status):
    with container(f"exit {status}") as process:
        assert process.wait(DEADLINE_S) == status


@pytest.mark.parametrize("number", STOPS)
def test_a_stop_reaches_weir_which_ends_in_order(container, tmp_path, number):
    script = f"trap 'kill $!; echo stopped >>{tmp_path}/log; exit 0' TERM; sleep 60 & wait"
    with container(script) as process:
        wait_until(lambda: any(map(children, children(process.pid))))
        process.send_signal(number)
        assert process.wait(DEADLINE_S) == 0
    assert (tmp_path / "log").read_text() == "started\nstopped\n"


def test_an_outage_of_the_upstream_does_not_mark_the_container_as_dead():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Alive)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert check_health(server.server_port) == 0
    finally:
        server.shutdown()
        server.server_close()


def test_a_weir_that_does_not_answer_is_dead():
    assert check_health(free_port()) == 1


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
