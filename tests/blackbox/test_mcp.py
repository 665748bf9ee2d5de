"""MCP servers of an editor and of a client, natively: added, called after leave, ended."""

import sys
from pathlib import Path

from tests.acp_editor import agent
from tests.blackbox.native import messages_of
from tests.blackbox.weir_up import Up
from tests.processes import DEADLINE_S, ROOT, wait_until

FAKE = [sys.executable, str(ROOT / "tests" / "fakes" / "mcp_server.py")]


def test_a_server_of_an_editor_is_started_and_called(up: Up, tmp_path: Path) -> None:
    folder = str(tmp_path)
    server = {"name": "fake", "command": FAKE[0], "args": FAKE[1:], "env": []}
    with agent(up.url) as editor:
        editor.answer_ask = lambda ask: {"outcome": {"outcome": "selected", "optionId": "once"}}
        editor.call("initialize", {"protocolVersion": 1, "clientCapabilities": {}})
        made = editor.call("session/new", {"cwd": folder, "mcpServers": [server]})
        session = str(made["result"]["sessionId"])
        wait_until(lambda: state(up, folder, "fake")["status"] == "connected")
        asked = editor.prompt(session, 'tool fake_echo {"text": "through MCP"} then 3')
        assert editor.answer(asked, DEADLINE_S)["result"] == {"stopReason": "end_turn"}
        assert len(editor.asks) == 1
    calls = [
        part["state"]
        for message in messages_of(up, session)
        for part in message["parts"]
        if part["type"] == "tool"
    ]
    assert [(one["status"], one["output"]) for one in calls] == [("completed", "through MCP")]


def test_a_client_adds_ends_and_starts_servers(up: Up, tmp_path: Path) -> None:
    query = f"?directory={tmp_path}"
    config = {"type": "local", "command": FAKE}
    added = up.call("POST", f"/mcp{query}", {"name": "mine", "config": config})
    assert set(added.body) == {"mine"}
    wait_until(lambda: state(up, str(tmp_path), "mine")["status"] == "connected")
    assert up.call("POST", f"/mcp/mine/disconnect{query}").body is True
    assert state(up, str(tmp_path), "mine") == {"status": "disabled"}
    assert up.call("POST", f"/mcp/mine/connect{query}").body is True
    wait_until(lambda: state(up, str(tmp_path), "mine")["status"] == "connected")
    assert up.call("GET", "/mcp?directory=/elsewhere").body == {}
    unknown = up.call("POST", f"/mcp/other/connect{query}")
    assert (unknown.status, "'other' does not exist" in str(unknown.body)) == (404, True)
    wrong = up.call("POST", f"/mcp{query}", {"name": "x", "config": {"type": "local"}})
    assert (wrong.status, "config" in str(wrong.body)) == (400, True)


def state(up: Up, directory: str, name: str) -> dict[str, str]:
    states: dict[str, dict[str, str]] = up.call("GET", f"/mcp?directory={directory}").body
    return states[name]
