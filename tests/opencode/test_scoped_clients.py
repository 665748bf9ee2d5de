"""Unmodified clients with a token of one folder: whole in it, and blind for the other one."""

import json
import os
import shlex
import subprocess
import sys
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from gateway.access.principal import Action
from gateway.access.token_file import TokenFile
from tests.acp import install as acp
from tests.blackbox.conftest import SDK
from tests.blackbox.weir_up import Up, lives, weir_up
from tests.chromium import chromium
from tests.fakes.texts import numbered
from tests.http_client import Reply
from tests.npm import NotInstalled
from tests.opencode import terminal
from tests.opencode.relay import weir_before
from tests.opencode.web_app import slug, web_app
from tests.processes import DEADLINE_S, ROOT, wait_until
from tests.raw_client import RawClient
from tests.sse_client import SseClient
from tests.websocket import ASKS, frame

pytestmark = pytest.mark.timeout(900)

RELAY, ALONE = "before an opencode", "alone"
MARK = "outside-word"
SCRIPT = "storm 3 40"
SAID = "".join(numbered(3, 40))


class Server(NamedTuple):
    """A weir, two folders with a session each, and tokens: of the first folder, and of all."""

    up: Up
    inside: str
    outside: str
    writer: str
    admin: str
    owner: str

    def ask(self, token: str, method: str, path: str, body: object = None) -> Any:
        """Return the JSON of an answer, which has to be a success."""
        answer = self.reply(token, method, path, body)
        assert answer.status < 300, answer
        return answer.body

    def reply(self, token: str, method: str, path: str, body: object = None) -> Reply:
        """Return an answer."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return self.up.patiently(method, path, body, headers=headers)


@pytest.fixture(scope="module", params=[RELAY, ALONE])
def server(request, opencode, provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scoped")
    inside, outside = map(str, opencode.projects)
    (folder / "state").mkdir(mode=0o700)
    file = TokenFile(folder / "state")
    tokens = [
        file.add(name, action, None, folders)[0]
        for name, action, folders in (
            ("writer", Action.WRITE, (inside,)),
            ("admin", Action.ADMIN, (inside,)),
            ("owner", Action.ADMIN, ()),
        )
    ]
    model = ("--model-url", provider.url, "--model", "m1")
    started = weir_before(opencode, folder) if request.param == RELAY else weir_up(folder, *model)
    with started as up:
        yield Server(up, inside, outside, *tokens)


@pytest.fixture(scope="module")
def foreign(server):
    """A session of the other folder."""
    where = f"/session?directory={quote(server.outside)}"
    return server.ask(server.owner, "POST", where, {"title": MARK})["id"]


@pytest.mark.skipif(not terminal.is_there(), reason="tmux is not installed")
def test_the_terminal_takes_the_token_as_its_password(server, opencode):
    flags = ("--password", server.writer)
    with terminal.attached(server.up.url, server.inside, opencode.version, *flags) as shown:
        shown.enter(SCRIPT)
        shown.shows(*SAID.split())
        pids = shown.pids()
    wait_until(lambda: not any(map(lives, pids)), what="the end of the terminal's program")


@pytest.mark.parametrize("version", [[], ["--v1"]], ids=["v2", "v1"])
def test_the_sdk_follows_a_turn(server, node, version):
    command = [node, str(SDK / "prompt.mjs"), *version, server.up.url, SCRIPT, server.inside]
    env = {**os.environ, "WEIR_TOKEN": server.writer}
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=DEADLINE_S)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert (result["text"], result["equal"]) == (SAID, True)


def test_acpx_gets_the_text_and_no_other_folder(server, foreign, tmp_path):
    try:
        acpx = acp.acpx()
    except NotInstalled as error:
        pytest.skip(f"acpx cannot be had: {error}")

    def run(folder):
        agent = [sys.executable, "-m", "deploy.cli", "acp", "--server", server.up.url]
        agent += ["--directory", folder]
        words = [str(acpx), "--agent", shlex.join(agent), "--cwd", folder, "--format", "text"]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
        env["WEIR_TOKEN"] = server.writer
        return subprocess.run(
            [*words, "--approve-all", "exec", SCRIPT],
            env=env,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )

    inside = run(server.inside)
    assert inside.returncode == 0, inside.stderr
    assert SAID.split() == [word for word in inside.stdout.split() if word in SAID.split()]
    outside = run(server.outside)
    assert outside.returncode != 0
    assert not set(SAID.split()) & set(outside.stdout.split())


def test_lists_and_streams_have_nothing_of_the_other_folder(server, foreign):
    inside = quote(server.inside)
    mine = server.ask(server.writer, "POST", f"/session?directory={inside}", {})["id"]
    bearer = {"Authorization": f"Bearer {server.writer}"}
    with SseClient(f"{server.up.url}/global/event", bearer) as stream:
        stream.next()
        for session, title in ((foreign, f"{MARK} again"), (mine, "the last word")):
            server.ask(server.owner, "PATCH", f"/session/{session}", {"title": title})
        got = stream.until(lambda event: "the last word" in json.dumps(event))
    lists = ("/session", "/permission", "/question", "/session/status")
    paths = ["/project", *(f"{path}?directory={inside}" for path in lists)]
    shown = [server.ask(server.writer, "GET", path) for path in paths]
    assert server.inside in json.dumps(shown[0])
    for words in (MARK, foreign, server.outside):
        assert words not in json.dumps([got, shown])
    for path in (f"/session/{foreign}", f"/session?directory={quote(server.outside)}"):
        assert server.reply(server.writer, "GET", path).status == 403


@pytest.mark.parametrize("server", [RELAY], indirect=True)
def test_a_terminal_pane_is_of_the_granted_folder_and_of_an_admin(server):
    inside, outside = quote(server.inside), quote(server.outside)
    shell = {"command": "/bin/sh"}
    pane = server.ask(server.admin, "POST", f"/pty?directory={inside}", shell)["id"]
    other = server.ask(server.owner, "POST", f"/pty?directory={outside}", shell)["id"]
    upgrade = [*ASKS, "Sec-WebSocket-Version: 13", f"Origin: {server.up.url}"]
    for token, name, folder, status in (
        (server.writer, pane, inside, "403"),
        (server.admin, other, outside, "403"),
        (server.admin, other, inside, "404"),
        (server.admin, pane, inside, "101"),
    ):
        with RawClient(server.up.url) as client:
            bearer = f"Authorization: Bearer {token}"
            client.get(f"/pty/{name}/connect?directory={folder}", *upgrade, bearer)
            assert client.head()[0].split()[1] == status
            if status == "101":
                client.send(frame(b"echo we''ir\n", masked=True))
                client.until(b"weir\r\n")
    listed = {one["id"] for one in server.ask(server.admin, "GET", f"/pty?directory={inside}")}
    assert listed & {pane, other} == {pane}
    for name, folder in ((pane, inside), (other, outside)):
        server.ask(server.owner, "DELETE", f"/pty/{name}?directory={folder}")


@pytest.mark.parametrize("server", [RELAY], indirect=True)
def test_the_web_app_prompts_streams_and_is_loaded_again(server, foreign):
    url = server.up.url
    with chromium() as browser, web_app(browser) as app:
        app.log_in(url, server.writer)
        app.begin(url, server.inside)
        app.say(SCRIPT)
        app.shows(SAID.strip())
        app.tab.reload()
        app.shows(SAID.strip())
        with app.tab.expect_response(lambda one: foreign in one.url and one.status == 403):
            app.tab.goto(f"{url}/server/{slug(url)}/session/{foreign}")
        assert MARK not in app.tab.inner_text("body")
    assert {one[2] for one in app.refused} == {403}
