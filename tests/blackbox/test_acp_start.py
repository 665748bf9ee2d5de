"""How the agent starts: light, with or without its server."""

import subprocess
import sys
from base64 import b64encode
from urllib.parse import quote

import pytest

from tests.acp_editor import agent
from tests.fakes.agent_server import agent_server, answered
from tests.processes import DEADLINE_S, ROOT, free_port

HEAVY = ("zmq", "gevent", "falcon", "gunicorn", "pydantic", "urllib3", "asyncio", "processor")


def test_it_imports_nothing_that_makes_it_slow():
    code = "import sys, acp_client.__main__; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "acp_client.agent" in loaded
    assert [name for name in loaded if name.partition(".")[0] in (*HEAVY, "gateway")] == []


def test_it_introduces_itself_without_its_server():
    with agent(f"http://127.0.0.1:{free_port()}") as editor:
        told = editor.call("initialize", {"protocolVersion": 1})["result"]
    assert told["agentInfo"]["name"] == "weir"
    assert told["authMethods"] == []


@pytest.mark.parametrize("in_url", [True, False])
def test_the_login_goes_with_every_request(in_url):
    given = "me@home", "p:w/ü"
    with agent_server() as server:
        user, password = (quote(one, "") for one in given)
        url = server.url.replace("//", f"//{user}:{password}@") if in_url else server.url
        names = "OPENCODE_SERVER_USERNAME", "OPENCODE_SERVER_PASSWORD"
        env = {} if in_url else dict(zip(names, given, strict=True))
        with agent(url, **env) as editor:
            session = editor.start()
            server.on_prompt = lambda session, body: server.publish(*answered(session, "ok"))
            assert "result" in editor.answer(editor.prompt(session, "hi"))
        assert server.logins == {f"Basic {b64encode(':'.join(given).encode()).decode()}"}


def test_the_word_of_the_command_line_is_the_same_agent():
    asked = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1}}\n'
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "acp"],
        cwd=ROOT,
        input=asked,
        capture_output=True,
        timeout=DEADLINE_S,
    )
    assert ended.returncode == 0
    assert b'"protocolVersion":1' in ended.stdout
