"""The agent at a weir that runs the turns itself, with its built-in model."""

import os
import signal

import pytest

from tests.acp_editor import agent
from tests.blackbox.weir_up import said, weir_up

TURN_S = 120.0


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with weir_up(tmp_path_factory.mktemp("up")) as running:
        running.patiently("GET", "/path")
        yield running


@pytest.fixture
def editor(up):
    with agent(up.url) as running:
        yield running


def stored(up, session):
    messages = up.call("GET", f"/session/{session}/message").body
    return [message for message in messages if message["info"]["role"] == "assistant"]


def test_a_turn_is_told_whole(up, editor):
    session = editor.start()
    answer = editor.answer(editor.prompt(session, "hello there"), TURN_S)
    assert answer["result"] == {"stopReason": "end_turn"}
    [message] = stored(up, session)
    assert editor.said(session) == said(message)
    assert editor.said(session, "agent_thought_chunk") == said(message, "reasoning")
    assert editor.told("session_info_update")[-1]["title"] == "hello there"
    assert editor.told("usage_update")[-1]["size"] == 128_000


def test_a_storm_is_told_whole(up, editor):
    session = editor.start()
    assert "result" in editor.answer(editor.prompt(session, "storm 20000 40"), TURN_S)
    [message] = stored(up, session)
    assert editor.said(session) == said(message)


def test_a_turn_survives_the_death_of_every_worker(up, editor):
    session = editor.start()
    id_ = editor.prompt(session, "rate 200 400")
    editor.until(lambda: editor.said(session), TURN_S)
    for pid in up.workers(2):
        os.kill(pid, signal.SIGKILL)
    assert editor.answer(id_, TURN_S)["result"] == {"stopReason": "end_turn"}
    [message] = stored(up, session)
    assert editor.said(session) == said(message)


def test_a_turn_is_cancelled(up, editor):
    session = editor.start()
    id_ = editor.prompt(session, "rate 50 50000")
    editor.until(lambda: editor.said(session), TURN_S)
    editor.tell("session/cancel", {"sessionId": session})
    assert editor.answer(id_, TURN_S)["result"] == {"stopReason": "cancelled"}
    [message] = stored(up, session)
    assert editor.said(session) == said(message)
    assert "result" in editor.answer(editor.prompt(session, "again"), TURN_S)


def test_another_editor_finds_and_loads_what_was_said(up, editor, tmp_path):
    folder = str(tmp_path)
    session = editor.start(folder)
    assert "result" in editor.answer(editor.prompt(session, "hello there"), TURN_S)
    with agent(up.url) as other:
        other.call("initialize", {"protocolVersion": 1})
        listed = other.call("session/list", {"cwd": folder})["result"]["sessions"]
        assert [(one["sessionId"], one["title"]) for one in listed] == [(session, "hello there")]
        params = {"sessionId": session, "cwd": folder, "mcpServers": []}
        assert "result" in other.call("session/load", params)
        assert other.said(session, "user_message_chunk") == "hello there"
        assert other.said(session) == editor.said(session)
