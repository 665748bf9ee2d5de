"""A weir under a path, by a proxy that removes it or by `--base-path`.

It is in front of an opencode that another proxy keeps under a path.
"""

import json
import subprocess
import sys

import pytest

from tests.acp_editor import agent
from tests.blackbox.nginx import PROGRAM, nginx_with
from tests.blackbox.weir_up import weir_up
from tests.fakes.upstream import upstream
from tests.http_client import call
from tests.processes import ROOT, running, wait_until
from tests.sse_client import SseClient

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")

UNBUFFERED = "proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection '';"
SESSION = {"id": "ses_1", "title": "under a path", "directory": "/srv", "time": {"updated": 1}}


def titled(title):
    """A frame that gives a session a title."""
    info = {**SESSION, "title": title}
    properties = {"sessionID": "ses_1", "info": info}
    return {"directory": "/srv", "payload": {"type": "session.updated", "properties": properties}}


@pytest.fixture(scope="module")
def opencode():
    with upstream() as fake:
        yield fake


@pytest.fixture(scope="module", params=[(), ("--base-path", "/weir-app")], ids=["proxy", "own"])
def up(request, opencode, tmp_path_factory):
    """The deployment itself."""
    folders = [tmp_path_factory.mktemp(name) for name in ("behind", "up")]
    with nginx_with(folders[0], opencode.url, UNBUFFERED, "/oc/") as behind:
        flags = ("--workers", "1", "--heartbeat-ms", "1000", "--upstream", behind)
        with weir_up(folders[1], *flags, *request.param) as up:
            # Probes need no base path.
            origin = up.url.removesuffix("/weir-app")
            wait_until(lambda: call("GET", f"{origin}/weir/readyz").status == 200, what="ready")
            yield up


@pytest.fixture(scope="module")
def url(up, tmp_path_factory):
    """Where clients find it."""
    if up.url.endswith("/weir-app"):
        yield f"{up.url}/"
        return
    with nginx_with(tmp_path_factory.mktemp("front"), up.url, UNBUFFERED, "/weir-app/") as front:
        yield front


def test_requests_and_events_find_their_way(opencode, url):
    with SseClient(f"{url}global/event") as stream:
        stream.next()
        opencode.say(titled("first"))
        assert json.loads(stream.next().data) == titled("first")
    listed = call("GET", f"{url}session?directory=%2Fsrv")
    assert [one["title"] for one in listed.body] == ["first"]


def test_no_request_leads_out_of_the_path_of_the_upstream(up):
    assert up.call("GET", "/a/%2e%2e/%2e%2e/x").status == 400


def test_tail_follows(opencode, url, tmp_path):
    command = ["-m", "deploy.cli", "tail", "--url", url]
    with running(*command, log=tmp_path / "tail.log") as tail:

        def seen():
            opencode.say(titled("followed"), titled("again"))
            return "followed" in tail.output

        wait_until(seen, what="the title")


def test_doctor_finds_nothing_wrong(url):
    flags = ["--heartbeat-ms=1000", "--hold=1"]
    command = [sys.executable, "-m", "deploy.cli", "doctor", "--url", url, *flags]
    for _ in range(4):  # on a busy machine, what is well may look ill
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            break
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert f"{url.rstrip('/')} answers" in done.stdout


def test_an_agent_lists_and_loads(opencode, url):
    opencode.say(titled("listed"))
    with agent(url) as editor:
        editor.call("initialize", {"protocolVersion": 1})
        [found] = editor.call("session/list", {"cwd": "/srv"})["result"]["sessions"]
        assert found["title"] == "listed"
        loaded = editor.call("session/load", {"sessionId": "ses_1", "cwd": "/srv"})
        assert "result" in loaded
