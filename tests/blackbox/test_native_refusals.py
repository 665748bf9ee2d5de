"""What the HTTP surface of `weir up` refuses, and in which words."""

from urllib.parse import quote

import pytest

from tests.blackbox.native import HERE, MESSAGE, MESSAGES, SESSION
from tests.blackbox.weir_up import prompt
from tests.openapi import check


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "message", {}, "parts"),
        ("POST", "message", {"parts": []}, "parts"),
        ("POST", "message", {"parts": "hello"}, "parts"),
        ("POST", "message", {"parts": [{"type": "text"}]}, "parts[0].text"),
        ("POST", "message", {"parts": [{"type": "text", "text": 7}]}, "parts[0].text"),
        ("POST", "message", {"parts": [{"type": "smell"}]}, "parts[0].type"),
        ("POST", "prompt_async", {"parts": [{"type": "file", "mime": "a/b"}]}, "parts[0].url"),
        ("POST", "prompt_async", prompt("x", model={"providerID": "p"}), "model.modelID"),
        ("POST", "message", prompt("x", agent="planner"), "agent"),
        ("POST", "prompt_async", prompt("x", format={"type": "json_schema"}), "format"),
        ("POST", "prompt_async", prompt("x", tools={"fly": True}), "tools.fly"),
        ("POST", "message", {"parts": [{"type": "agent", "name": "a"}]}, "parts[0].type"),
        ("POST", "message", {"parts": [{"type": "subtask"}]}, "parts[0].type"),
        ("PATCH", "", {"title": 7}, "title"),
        ("PATCH", "", {"time": {"archived": "now"}}, "time.archived"),
        ("PATCH", "", {"time": {"archived": -1}}, "time.archived"),
    ],
)
def test_a_wrong_body_is_refused_by_its_field(up, session, method, path, body, field):
    reply = up.call(method, f"/session/{session}/{path}".rstrip("/"), body)
    assert reply.status == 400
    assert reply.body["name"] == "BadRequest"
    assert reply.body["data"]["field"] == field
    assert reply.body["data"]["message"].startswith(f"{field}: ")
    flat = reply.body["_tag"], reply.body["field"], reply.body["message"]
    assert flat == ("InvalidRequestError", field, reply.body["data"]["message"])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"parts":', b"\xff", b"[" * 5000])
def test_a_body_that_is_no_json_object_is_refused(up, session, body):
    reply = up.call("POST", f"/session/{session}/message", body)
    assert reply.status == 400
    assert reply.body["data"]["kind"] == "Body"


def test_a_model_that_is_not_there_is_refused(up, session):
    model = {"providerID": "elsewhere", "modelID": "m1"}
    reply = up.call("POST", f"/session/{session}/message", prompt("x", model=model))
    assert reply.status == 400
    assert "elsewhere/m1" in reply.body["data"]["message"]
    assert "openai-compatible/m1" in reply.body["data"]["message"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/session?limit=0", "limit"),
        ("/session?limit=many", "limit"),
        ("/session?roots=perhaps", "roots"),
        ("/session?start=-1", "start"),
        ("/session?directory=%00", "directory"),
        ("/session/ID/message?limit=0", "limit"),
        ("/session/ID/message?before=abc", "before"),
    ],
)
def test_a_wrong_query_is_refused_by_its_name(up, session, path, field):
    reply = up.call("GET", path.replace("ID", session))
    assert reply.status == 400
    assert reply.body["data"]["field"] == field


def test_a_cursor_that_nobody_gave_out_is_refused(up, session):
    reply = up.call("GET", f"/session/{session}/message?limit=2&before=nonsense")
    assert reply.status == 400
    assert "'nonsense' is not a cursor" in reply.body["data"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", SESSION, None),
        ("PATCH", SESSION, {"title": "x"}),
        ("DELETE", SESSION, None),
        ("GET", MESSAGES, None),
        ("POST", MESSAGES, prompt("x")),
        ("POST", f"{SESSION}/prompt_async", prompt("x")),
        ("GET", MESSAGE, None),
        ("GET", f"{SESSION}/todo", None),
    ],
)
@pytest.mark.parametrize("unknown", ["ses_unknown", "☃", "%2e%2e%2fses_unknown"])
def test_an_unknown_session_is_not_found(up, method, path, body, unknown):
    where = path.replace("{sessionID}", quote(unknown, safe="%")).replace("{messageID}", "msg_1")
    reply = up.call(method, where, body)
    assert reply.status == 404
    check(reply, method, path)


@pytest.mark.parametrize("path", [f"{SESSION}/abort", f"{SESSION}/diff"])
def test_an_unknown_session_is_not_found_where_opencode_does_not_say_so(up, path):
    method = "POST" if path.endswith("abort") else "GET"
    reply = up.call(method, path.replace("{sessionID}", "ses_unknown"))
    assert (reply.status, reply.body["name"]) == (404, "NotFoundError")


def test_an_unknown_message_and_a_message_of_another_session_are_not_found(up, session):
    answer = up.prompt(session, "x")
    other = up.session(HERE)
    for where, message in ((session, "msg_unknown"), (other, answer["info"]["id"])):
        reply = up.call("GET", f"/session/{where}/message/{message}")
        assert reply.status == 404
        check(reply, "get", MESSAGE)
