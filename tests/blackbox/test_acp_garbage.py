"""Whatever an editor writes, the agent says what is wrong with it, and lives."""

import json
import os
import subprocess
import sys

import pytest

from tests.acp_editor import agent
from tests.blackbox.weir_up import NO_TWINS
from tests.processes import DEADLINE_S, ROOT, free_port

INIT = {"protocolVersion": 1, "clientCapabilities": {}}
NOWHERE = f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def editor():
    with agent(NOWHERE) as running:
        yield running


def alive(editor):
    return editor.call("initialize", INIT)["result"]["protocolVersion"] == 1


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"\x00\x01\xff\xfe\x80", -32700),
        (b"{", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"initia', -32700),
        (b"x" * 10_000_000, -32700),
        (b"[" * 1_000_000, -32700),
        (b"42", -32600),
        (b"[]", -32600),
        (b"null", -32600),
        (b'"initialize"', -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"2.0"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"initialize"}', -32600),
    ],
)
def test_a_line_that_is_no_message_has_its_error(editor, line, code):
    editor.write(line + b"\n")
    assert editor.answer(None)["error"]["code"] == code
    assert alive(editor)


def test_a_message_of_ten_megabytes_is_one(editor):
    params = {"sessionId": "x", "prompt": [{"type": "text", "text": "y" * 10_000_000}]}
    assert editor.call("session/prompt", params)["error"]["code"] == -32002


def test_half_a_line_is_waited_for(editor):
    whole = json.dumps({"jsonrpc": "2.0", "id": "half", "method": "initialize", "params": INIT})
    editor.write(whole[:20].encode())
    editor.write(whole[20:].encode() + b"\r\n\r\n\n")
    assert editor.answer("half")["result"]["protocolVersion"] == 1


@pytest.mark.parametrize("version", [0, 1, 2, 65535])
def test_the_version_is_the_one_it_speaks(editor, version):
    assert (
        editor.call("initialize", {"protocolVersion": version})["result"]["protocolVersion"] == 1
    )


def test_capabilities_are_objects(editor):
    told = editor.call("initialize", INIT)["result"]["agentCapabilities"]
    assert told["loadSession"] is True
    assert told["sessionCapabilities"] == {"list": {}, "resume": {}, "close": {}, "delete": {}}


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("nonsense", {}, -32601),
        ("session/fork", {"sessionId": "x"}, -32601),
        ("fs/read_text_file", {}, -32601),
        ("initialize", {}, -32602),
        ("initialize", {"protocolVersion": "1"}, -32602),
        ("initialize", [1], -32602),
        ("initialize", 7, -32602),
        ("authenticate", {"methodId": "x"}, -32602),
        ("session/new", {}, -32602),
        ("session/new", {"cwd": "relative", "mcpServers": []}, -32602),
        ("session/load", {"sessionId": 7, "cwd": "/srv"}, -32602),
        ("session/list", {"cursor": "nonsense"}, -32602),
        ("session/list", {"cwd": 7}, -32602),
        ("session/prompt", {"sessionId": "x"}, -32602),
        ("session/prompt", {"sessionId": "x", "prompt": "text"}, -32602),
        ("session/prompt", {"sessionId": "x", "prompt": []}, -32002),
        ("session/close", {"sessionId": "x"}, -32002),
        ("session/set_mode", {"sessionId": "x", "modeId": "y"}, -32002),
        ("session/set_config_option", {"sessionId": "x", "configId": "y", "value": "z"}, -32002),
        ("session/set_config_option", {"sessionId": "x", "configId": "y"}, -32602),
    ],
)
def test_a_request_that_cannot_be_met_has_its_error(editor, method, params, code):
    error = editor.call(method, params)["error"]
    assert error["code"] == code, error
    assert error["message"]
    assert alive(editor)


def test_notifications_and_answers_to_nothing_are_passed_over(editor):
    editor.tell("nonsense", {})
    editor.tell("session/cancel", {"sessionId": "x"})
    editor.tell("session/cancel", 7)
    editor.tell("$/cancel_request", {"requestId": 99})
    editor.tell("$/cancel_request", {})
    editor.write(b'{"jsonrpc":"2.0","id":99,"result":{}}\n')
    assert alive(editor)


def test_nothing_but_messages_is_on_standard_output(editor):
    with agent(NOWHERE, "--log-level", "debug") as other:
        assert alive(other)
        assert "error" in other.call("session/new", {"cwd": "/srv", "mcpServers": []})


def test_it_ends_with_its_editor():
    with agent(NOWHERE) as editor:
        assert alive(editor)
        editor.process.stdin.close()
        assert editor.process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--server", "nonsense"], "--server: not the URL of a server"),
        (["--server", "http://h/path?x"], "--server: it has a query"),
        (["--directory", "/no/such/folder"], "an existing folder"),
        (["--colour", "red"], "--colour: unknown"),
    ],
)
def test_a_bad_flag_is_refused_in_one_line(flags, words):
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "acp", *flags],
        cwd=ROOT,
        env={**os.environ, **NO_TWINS},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert ended.returncode == 2
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1
