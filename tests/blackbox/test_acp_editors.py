"""What editors send that the protocol does not foresee."""

import pytest

from tests.acp_editor import agent
from tests.blackbox.acp_turn import in_mid_turn
from tests.fakes.agent_server import agent_server, answered

OF_WINDOWS = ["C:\\proj", "c:/proj", "\\\\wsl.localhost\\Ubuntu\\home\\me", "\\\\server\\share"]


@pytest.fixture(scope="module")
def server():
    """A scripted server that the tests share."""
    with agent_server() as running:
        yield running


@pytest.fixture(scope="module")
def editor(server):
    """An editor whose agent the tests share; no test ends it."""
    with agent(server.url) as running:
        yield running


def open_in(editor, method, cwd, **more):
    known = {} if method == "session/new" else {"sessionId": "ses_1"}
    return editor.call(method, {"cwd": cwd, **known, **more})


@pytest.mark.parametrize("cwd", OF_WINDOWS)
@pytest.mark.parametrize(
    "method", ["session/new", "session/load", "session/resume", "session/list"]
)
def test_a_folder_of_windows_is_refused_where_the_server_is_not_there(server, editor, method, cwd):
    server.answers["GET /path"] = {"home": "/home/me", "directory": "/srv"}
    before = len(server.asked)
    error = open_in(editor, method, cwd)["error"]
    assert error["code"] == -32602
    assert error["message"].startswith(f"cwd: '{cwd}' is a Windows path, but the server http")
    assert server.asked[before:] == ["GET /path"]


@pytest.mark.parametrize("cwd", OF_WINDOWS)
def test_a_folder_of_windows_is_one_to_a_server_there(server, editor, cwd):
    server.answers["GET /path"] = {"home": "C:\\Users\\me", "directory": "C:\\proj"}
    assert "result" in open_in(editor, "session/new", cwd)


@pytest.mark.parametrize("cwd", ["", "proj", "./proj", "~/proj", "C:proj", "file:///srv"])
def test_a_folder_is_absolute(editor, cwd):
    error = open_in(editor, "session/new", cwd)["error"]
    words = f"cwd: {cwd!r} is not an absolute path, such as '/home/me/project'"
    assert (error["code"], error["message"]) == (-32602, words)


@pytest.mark.parametrize("name", ["missing", "file", "//wsl.localhost/Ubuntu/home/me"])
def test_no_session_is_made_in_a_folder_that_is_not_there(server, editor, tmp_path, name):
    (tmp_path / "file").touch()
    cwd, before = str(tmp_path / name), len(server.asked)
    error = open_in(editor, "session/new", cwd)["error"]
    words = f"cwd: the folder {cwd!r} does not exist"
    assert (error["code"], error["message"]) == (-32602, words)
    assert server.asked[before:] == []


def test_a_session_whose_folder_has_gone_can_still_be_read(server, editor, tmp_path):
    session = server.made(str(tmp_path / "gone"))["id"]
    loaded = {"sessionId": session, "cwd": str(tmp_path / "gone"), "mcpServers": []}
    assert "result" in editor.call("session/load", loaded)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, []),
        (None, []),
        (7, []),
        ([{"name": "a", "type": None, "command": "x", "args": {}, "env": None}], ["a"]),
        ([{"name": "a"}, 7, {"name": "b", "type": "http", "url": "http://h", "env": {}}], ["b"]),
    ],
)
def test_a_session_opens_whatever_its_mcp_servers_look_like(server, editor, given, names):
    before = len(server.bodies)
    assert "result" in open_in(editor, "session/new", "/srv", mcpServers=given)
    assert [body["name"] for body in server.bodies[before:] if body and "name" in body] == names


def test_a_turn_is_cancelled_by_a_request_too(server, editor):
    session, id_ = in_mid_turn(server, editor)
    assert editor.call("session/cancel", {"sessionId": session})["result"] == {}
    assert editor.answer(id_)["result"] == {"stopReason": "cancelled"}
    # As those that come without an id, it may find nothing to cancel.
    assert editor.call("session/cancel", {"sessionId": session})["result"] == {}
    assert editor.call("session/cancel", {"sessionId": 7})["error"]["code"] == -32602
    session, id_ = in_mid_turn(server, editor)
    assert editor.call("$/cancel_request", {"requestId": id_})["result"] == {}
    assert editor.answer(id_)["result"] == {"stopReason": "cancelled"}


def test_half_a_surrogate_pair_in_a_prompt_is_a_replacement_character(server, editor):
    session = editor.start()
    prompts = []

    def take(session, body):
        prompts.append(body)
        server.publish(*answered(session, "ok", len(prompts)))

    server.on_prompt = take
    for name, lone in enumerate((r"\ud83d", r"\udc00x", r"\ud800\ud83d")):
        block = f'{{"type":"text","text":"a {lone} b","_meta":{{"x":"{lone}"}}}}'
        params = f'{{"sessionId":"{session}","prompt":[{block}]}}'
        line = f'{{"jsonrpc":"2.0","id":"p{name}","method":"session/prompt","params":{params}}}\n'
        editor.write(line.encode())
        assert editor.answer(f"p{name}")["result"] == {"stopReason": "end_turn"}
        [part] = prompts[name]["parts"]
        assert part["text"].strip("ab x") == "\ufffd" * lone.count("u")
