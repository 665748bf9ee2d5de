"""Sessions through the agent: listed, loaded, taken up, closed, deleted."""

import pytest

from tests.acp_editor import agent
from tests.fakes.agent_server import answered, delta, info, status, text, updated
from tests.processes import wait_until


@pytest.fixture
def editor(server):
    with agent(server.url, "--directory", "/tmp") as running:
        running.call("initialize", {"protocolVersion": 1})
        yield running


def stored(server, session, words="what was said", done=True):
    server.messages[session] = [
        {
            "info": info(session, "msg_1", "user", agent="plan"),
            "parts": [text(session, "msg_1", "prt_1", "a question")],
        },
        {
            "info": info(session, "msg_2", done=done),
            "parts": [text(session, "msg_2", "prt_2", words, done)],
        },
    ]


def load(editor, session, method="session/load"):
    params = {"sessionId": session, "cwd": "/srv", "mcpServers": []}
    return editor.call(method, params)


def test_a_session_is_loaded_whole_before_the_answer(server, editor):
    session = server.made("/srv")["id"]
    stored(server, session)
    server.answers[f"GET /session/{session}/todo"] = [{"content": "dig", "status": "pending"}]
    answer = load(editor, session)
    assert editor.said(session, "user_message_chunk") == "a question"
    assert editor.said(session) == "what was said"
    assert [one["content"] for one in editor.told("plan")[0]["entries"]] == ["dig"]
    assert answer["result"]["modes"]["currentModeId"] == "plan"


def test_a_session_that_is_loaded_in_a_turn_goes_on(server, editor):
    session = server.made("/srv")["id"]
    stored(server, session, "", done=False)

    def messages(body):
        server.publish(delta(session, "msg_2", "prt_2", "Hel"))
        return server.messages[session]

    server.answers[f"GET /session/{session}/message"] = messages
    assert "result" in load(editor, session)
    server.publish(updated(text(session, "msg_2", "prt_2", "Hello", done=True)))
    editor.until(lambda: editor.said(session) == "Hello")


def test_a_session_is_taken_up_and_nothing_replayed(server, editor):
    session = server.made("/srv")["id"]
    stored(server, session)
    assert "result" in load(editor, session, "session/resume")
    server.publish(updated(info(session, "msg_2", done=True)))
    server.publish(updated(text(session, "msg_2", "prt_2", "what was said", done=True)))
    server.on_prompt = lambda session, body: server.publish(*answered(session, "new", n=2))
    assert "result" in editor.answer(editor.prompt(session, "hi"))
    assert editor.said(session) == "new"


def test_what_waits_for_an_answer_is_put_again_to_whoever_loads(server, editor):
    session = server.made("/srv")["id"]
    waiting = {"id": "per_1", "sessionID": session, "permission": "bash", "patterns": ["ls"]}
    server.answers["GET /permission"] = [waiting]
    load(editor, session)
    editor.until(lambda: editor.asks)
    assert editor.asks[0]["params"]["sessionId"] == session


@pytest.mark.parametrize("method", ["session/load", "session/resume"])
def test_a_session_that_cannot_be_read_is_not_open(server, editor, method):
    session = server.made("/srv")["id"]
    server.answers[f"GET /session/{session}/message"] = 500, {"name": "UnknownError"}
    assert load(editor, session, method)["error"]["code"] == -32603
    assert editor.answer(editor.prompt(session, "hi"))["error"]["code"] == -32002


@pytest.mark.parametrize("method", ["session/load", "session/resume"])
def test_a_session_that_is_not_there_cannot_be_loaded(editor, method):
    assert load(editor, "ses_none", method)["error"]["code"] == -32002


def test_sessions_are_listed_in_pages(server, editor):
    for n in range(250):
        server.made("/srv", title=f"session {n}")
    server.made("/tmp", title="elsewhere")
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        params = {"cwd": "/srv"} | ({"cursor": cursor} if cursor else {})
        page = editor.call("session/list", params)["result"]
        found += page["sessions"]
        cursor, pages = page.get("nextCursor"), pages + 1
    assert [one["title"] for one in found] == [f"session {n}" for n in range(250)]
    assert pages == 3
    assert found[0]["updatedAt"].startswith("1970-01-01T00:00:00.001")
    assert [one["title"] for one in editor.call("session/list", {})["result"]["sessions"]] == [
        "elsewhere"
    ]


def test_a_closed_session_is_cancelled_and_gone(server, editor):
    session = editor.new()
    server.answers[f"POST /session/{session}/abort"] = lambda body: (
        server.publish(status(session)) or True
    )
    server.on_prompt = lambda session, body: server.publish(updated(info(session, "m", "user")))
    id_ = editor.prompt(session, "hi")
    server.wait_done(f"POST /session/{session}/prompt_async")
    assert editor.call("session/close", {"sessionId": session})["result"] == {}
    assert editor.answer(id_)["result"] == {"stopReason": "cancelled"}
    assert editor.answer(editor.prompt(session, "hi"))["error"]["code"] == -32002
    assert session in server.sessions


def test_a_deleted_session_is_gone_from_the_server(server, editor):
    session = editor.new()
    assert editor.call("session/delete", {"sessionId": session})["result"] == {}
    assert session not in server.sessions
    assert editor.call("session/delete", {"sessionId": session})["error"]["code"] == -32002


def test_mcp_servers_are_handed_to_the_server(server, editor):
    stdio = {"name": "files", "command": "/bin/mcp", "args": ["-v"], "env": []}
    stdio["env"].append({"name": "A", "value": "b"})
    http = {"type": "http", "name": "web", "url": "http://h", "headers": []}
    made = editor.call("session/new", {"cwd": "/srv", "mcpServers": [stdio, http]})
    assert "result" in made
    added = [
        body
        for asked, body in zip(server.asked, server.bodies, strict=False)
        if asked == "POST /mcp"
    ]
    local = {"type": "local", "command": ["/bin/mcp", "-v"], "environment": {"A": "b"}}
    remote = {"type": "remote", "url": "http://h", "headers": {}}
    assert added == [{"name": "files", "config": local}, {"name": "web", "config": remote}]


def test_a_server_with_the_bare_routes_will_do(server, editor):
    for path in ("/config/providers", "/agent", "/config", "/command", "/permission", "/question"):
        server.answers[f"GET {path}"] = 404, {"name": "NotFoundError"}
    answer = editor.call("session/new", {"cwd": "/srv", "mcpServers": []})["result"]
    assert answer["configOptions"] == []
    server.on_prompt = lambda session, body: server.publish(*answered(session, "ok"))
    assert "result" in editor.answer(editor.prompt(answer["sessionId"], "hi"))


def test_a_request_that_is_cancelled_has_its_error(server, editor):
    asked = []

    def slow(body):
        asked.append(1)
        wait_until(lambda: len(asked) == 2, what="the cancellation")
        return []

    server.answers["GET /session"] = slow
    id_ = editor.send("session/list", {"cwd": "/srv"})
    wait_until(lambda: asked, what="the request")
    editor.tell("$/cancel_request", {"requestId": id_})
    assert editor.answer(id_)["error"]["code"] == -32800
    asked.append(1)
    assert editor.call("initialize", {"protocolVersion": 1})["id"] != id_
