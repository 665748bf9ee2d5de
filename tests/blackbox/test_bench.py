"""`weir bench` at a real server, and at what cannot be measured."""

import json
import math
import os
import subprocess
import sys

import pytest

from bus.origin import Origin
from bus.process.flags import BadFlag
from bus.process.hidden_login import without_login
from bus.process.login import Login
from deploy.bench import command, load
from tests.blackbox.nginx import PROGRAM, nginx
from tests.blackbox.weir_up import NO_TWINS, weir_up
from tests.fakes.routes import reply, routes
from tests.processes import DEADLINE_S, ROOT, free_port


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A deployment with the demo model."""
    with weir_up(tmp_path_factory.mktemp("bench"), "--workers", "1", "--max-readers", "20") as one:
        yield one


def bench(*words):
    """Run the command to its end."""
    environ = {**os.environ, **NO_TWINS, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "deploy.cli", "bench", *words]
    return subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=2 * DEADLINE_S
    )


def test_a_server_is_measured_idle_at_a_steady_pace_and_in_a_storm(up):
    done = bench(up.url, "--readers", "3", "--seconds", "1", "--json")
    said = json.loads(done.stdout)
    assert said["url"] == up.url
    idle, steady, storm = said["measured"]
    assert (steady["delays"]["deliveries"], steady["delays"]["least"]) == (3 * 100, 100)
    assert 0 < steady["delays"]["p50"] <= steady["delays"]["p99"]
    assert all(one["health"]["count"] > 0 and one["lost"] == 0 for one in (idle, steady, storm))
    assert any("storm" in words for words in said["verdict"])
    assert done.returncode == (0 if said["ok"] else 1)
    assert up.call("GET", "/session").body == []


def test_without_scripts_the_title_of_a_session_changes_at_a_steady_pace(up, monkeypatch):
    monkeypatch.setattr(load, "_is_demo", lambda _server: False)
    idle, steady = load.measure(Origin.parse(up.url), load.Load(readers=2, seconds=0.5))
    assert "title" in steady.work
    assert steady.delays.deliveries == 2 * 10
    assert (idle.lost, steady.lost) == (0, 0)


def refusal(*words):
    """Return the one line with which the command gives up."""
    done = bench(*words)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    return line


def test_more_readers_than_the_server_holds(up):
    assert "503" in (line := refusal(up.url, "--readers", "30", "--seconds", "1"))
    assert "--max-readers" in line


def test_a_server_that_is_down():
    assert "refuses connections" in refusal(f"http://127.0.0.1:{free_port()}")


def test_a_server_of_something_else():
    with routes({"/global/health": reply(200, b"[1]")}) as url:
        assert "neither weir nor opencode" in refusal(url)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ftp://127.0.0.1"], "not the URL of a server"),
        (["http://127.0.0.1:0"], "port 0"),
        (["127.0.0.1:4097"], "not the URL of a server"),
        (["http://127.0.0.1", "--readers", "0"], "--readers"),
        (["http://127.0.0.1", "--seconds", "nan"], "--seconds"),
        (["http://127.0.0.1", "http://127.0.0.1"], "unknown"),
    ],
)
def test_what_is_not_allowed_is_refused(words, said):
    with pytest.raises(BadFlag, match=said):
        command.read(words, {})


def test_the_login_of_the_url_or_of_the_environment_is_given():
    login = Login("me", "secret")
    assert command.read(["http://me:secret@127.0.0.1:9"], {}).server.login == login
    variables = {"OPENCODE_SERVER_USERNAME": "me", "OPENCODE_SERVER_PASSWORD": "secret"}
    assert command.read(["http://127.0.0.1:9"], variables).server.login == login
    clean = ["http://127.0.0.1:9", "--readers", "3"]
    assert without_login(["http://me:secret@127.0.0.1:9", *clean[1:]]) == (clean, login)


@pytest.mark.skipif(PROGRAM is None, reason="needs nginx")
def test_a_server_behind_tls(up, tmp_path, monkeypatch):
    with nginx(tmp_path, up.url) as (_, secure):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        measured = list(load.measure(Origin.parse(secure), load.Load(readers=2, seconds=0.3)))
    assert [one.lost for one in measured] == [0, 0, 0]
    assert all(one.health.count and one.health.p50 < math.inf for one in measured)
