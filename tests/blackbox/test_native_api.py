"""The session API of `weir up` beyond prompts, in the shapes of a real opencode."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.blackbox.native import HERE, MESSAGE, SESSION, messages_of, stream_of, until_marked
from tests.blackbox.weir_up import prompt, said
from tests.openapi import check
from tests.opencode import home
from tests.processes import DEADLINE_S, wait_until


@pytest.fixture
def talked(up, session):
    """A session with two prompts, each with its answer."""
    for text in ("storm 2 10", "storm 3 10"):
        up.prompt(session, text)
    return session


def test_undo_and_redo_and_a_prompt_instead(up, talked):
    stream = stream_of(up, HERE)
    ids = [message["info"]["id"] for message in messages_of(up, talked)]
    path = f"/session/{talked}"
    body = {"messageID": ids[2]}
    reverted = check(up.call("POST", f"{path}/revert", body), "post", f"{SESSION}/revert")
    assert reverted["revert"] == {"messageID": ids[2]}
    shown = check(up.call("POST", f"{path}/unrevert"), "post", f"{SESSION}/unrevert")
    assert "revert" not in shown
    up.call("POST", f"{path}/revert", body)
    up.prompt(talked, "storm 1 10")
    events = until_marked(up, stream, talked)
    gone = [e["properties"]["messageID"] for e in events if e["type"] == "message.removed"]
    assert gone == ids[2:]
    now = messages_of(up, talked)
    assert [message["info"]["id"] for message in now][:2] == ids[:2]
    assert said(now[2]) == "storm 1 10"
    assert "revert" not in up.call("GET", path).body


def test_a_copy_and_the_children(up, talked):
    ids = [message["info"]["id"] for message in messages_of(up, talked)]
    path = f"/session/{talked}"
    copy = check(up.call("POST", f"{path}/fork", {"messageID": ids[2]}), "post", f"{SESSION}/fork")
    assert copy["title"].endswith("(fork #1)")
    assert (
        list(map(said, messages_of(up, copy["id"])))
        == (list(map(said, messages_of(up, talked)))[:2])
    )
    child = up.session(HERE, parentID=talked)
    listed = check(up.call("GET", f"{path}/children"), "get", f"{SESSION}/children")
    assert [one["id"] for one in listed] == [child]


def test_parts_and_messages_are_changed_and_removed(up, talked):
    first, answer, *_ = messages_of(up, talked)
    part = first["parts"][0]
    where = f"/session/{talked}/message/{first['info']['id']}/part/{part['id']}"
    template = f"{MESSAGE}/part/{{partID}}"
    changed = check(up.call("PATCH", where, {**part, "text": "other"}), "patch", template)
    assert changed["text"] == "other"
    assert said(messages_of(up, talked)[0]) == "other"
    assert check(up.call("DELETE", where), "delete", template) is True
    assert check(up.call("DELETE", where), "delete", template)["name"] == "NotFoundError"
    path = f"/session/{talked}/message/{answer['info']['id']}"
    assert check(up.call("DELETE", path), "delete", MESSAGE) is True
    assert answer["info"]["id"] not in str(messages_of(up, talked))


def test_a_session_that_is_at_work_is_not_edited(up, session):
    message = up.call("POST", f"/session/{session}/message", prompt("first", noReply=True)).body[
        "info"
    ]["id"]
    up.call("POST", f"/session/{session}/prompt_async", prompt("hang 3"))
    wait_until(lambda: session in up.call("GET", f"/session/status?directory={quote(HERE)}").body)
    for method, path, body in (
        ("POST", "revert", {"messageID": message}),
        ("POST", "unrevert", None),
        ("DELETE", f"message/{message}", None),
    ):
        refused = up.call(method, f"/session/{session}/{path}", body)
        assert (refused.status, refused.body["name"]) == (409, "ConflictError")
    up.call("POST", f"/session/{session}/abort")


def test_a_command_of_the_project_makes_a_prompt(up, tmp_path):
    folder = tmp_path / ".opencode" / "command"
    folder.mkdir(parents=True)
    (folder / "greet.md").write_text("---\ndescription: says hello\n---\nstorm $1 $2\n")
    where = f"directory={quote(str(tmp_path))}"
    listed = check(up.call("GET", f"/command?{where}"), "get", "/command")
    assert {one["name"]: one.get("description") for one in listed}["greet"] == "says hello"
    assert "init" in {one["name"] for one in listed}
    session = up.session(str(tmp_path))
    stream = stream_of(up, str(tmp_path))
    body = {"command": "greet", "arguments": "2 10"}
    answer = check(
        up.call("POST", f"/session/{session}/command", body), "post", f"{SESSION}/command"
    )
    asked = messages_of(up, session)[0]
    assert said(asked) == "storm 2 10"
    assert answer["info"]["parentID"] == asked["info"]["id"]
    events = until_marked(up, stream, session)
    executed = [e["properties"] for e in events if e["type"] == "command.executed"]
    assert executed == [{**executed[0], "name": "greet", "arguments": "2 10"}]
    refused = up.call("POST", f"/session/{session}/command", {"command": "no", "arguments": ""})
    assert (refused.status, refused.body["data"]["field"]) == (400, "command")


V2 = "agent command integration location model provider reference skill health session"


@pytest.mark.parametrize("what", [*V2.split(), "session/active"])
def test_a_v2_client_gets_what_it_asks_for(up, what, talked):
    check(up.call("GET", f"/api/{what}"), "get", f"/api/{what}")


def test_v2_pages_give_all_sessions_once(up):
    where = "/srv/demo/v2"
    made = [up.session(where) for _ in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        page = check(
            up.call("GET", f"/api/session?directory={where}&limit=2&cursor={cursor}"),
            "get",
            "/api/session",
        )
        found += [one["id"] for one in page["data"]]
        cursor = page["cursor"].get("next")
    assert found == made[::-1]


def test_the_branch_is_gits(up, tmp_path):
    where = f"directory={quote(str(tmp_path))}"
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(tmp_path)], check=True)
    assert check(up.call("GET", f"/vcs?{where}"), "get", "/vcs") == {"branch": "trunk"}
    session = up.call("POST", f"/session?{where}").body
    path = f"/project/{session['projectID']}/directories"
    listed = check(up.call("GET", path), "get", "/project/{projectID}/directories")
    assert listed == [{"directory": str(tmp_path)}]


def test_dispose_ends_the_streams_of_the_directory_alone(up, session):
    other = stream_of(up, "/srv/demo/other")
    mine = stream_of(up, HERE)
    reply = up.call("POST", f"/instance/dispose?directory={quote(HERE)}")
    assert check(reply, "post", "/instance/dispose") is True
    assert mine.until(lambda event: event["type"] == "server.instance.disposed")
    elsewhere = up.session("/srv/demo/other")
    seen = until_marked(up, other, elsewhere)
    assert "server.instance.disposed" not in {event["type"] for event in seen}


def test_a_word_that_was_said_is_found(up, session):
    up.call("POST", f"/session/{session}/message", prompt("a zebra crossing", noReply=True))
    page = up.call("GET", "/weir/search?q=zebra+cros").body
    assert [one["sessionID"] for one in page["found"]] == [session]
    assert page["found"][0]["snippet"] == "a zebra crossing"
    assert up.call("GET", "/weir/search?q=%22%28").status == 400
    up.call("DELETE", f"/session/{session}")
    assert up.call("GET", "/weir/search?q=zebra").body["found"] == []


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files") / "project"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "größe.py").write_text("one\nzwölf = 12  # twelve\n")
    (folder / "README.md").write_text("read me\n")
    (folder / "blob.bin").write_bytes(b"\0\1\2")
    (folder / "dot.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "out").symlink_to("/etc")
    (folder.parent / "secret").write_text("secret")
    return folder


def files_of(up, project, route, **query):
    words = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    reply = up.call("GET", f"{route}?directory={quote(str(project))}&{words}")
    return check(reply, "get", route)


def test_a_folder_is_listed(up, project):
    nodes = files_of(up, project, "/file", path="")
    assert [node["path"] for node in nodes] == [
        "out/",
        "src/",
        "README.md",
        "blob.bin",
        "dot.png",
    ]
    assert files_of(up, project, "/file", path="src")[0]["path"] == "src/größe.py"


def test_a_file_is_shown_as_what_it_is(up, project):
    def shown(path):
        return files_of(up, project, "/file/content", path=path)

    assert shown("README.md") == {"type": "text", "content": "read me\n"}
    assert shown(str(project / "README.md"))["content"] == "read me\n"
    assert shown("blob.bin")["type"] == "binary"
    image = shown("dot.png")
    assert (image["mimeType"], image["encoding"]) == ("image/png", "base64")


@pytest.mark.parametrize("route", ["/file", "/file/content"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("../secret", 400),
        ("/etc/passwd", 400),
        ("out/passwd", 400),
        ("src/../../secret", 400),
        ("nowhere", 404),
        ("README.md/x", 404),
        ("a\x00b", 400),
    ],
)
def test_what_is_outside_or_missing_is_refused(up, project, route, path, status):
    where = f"directory={quote(str(project))}&path={quote(path)}"
    refused = up.call("GET", f"{route}?{where}")
    assert (refused.status, refused.body["data"]["field"]) == (status, "path")
    assert "root:" not in str(refused.body)


def test_lines_and_paths_are_found(up, project):
    (line,) = files_of(up, project, "/find", pattern="z.ölf|tw\\w+")
    assert line["path"]["text"] == "src/größe.py"
    assert (line["line_number"], line["absolute_offset"]) == (2, 4)
    text = line["lines"]["text"].encode()
    for match in line["submatches"]:
        assert text[match["start"] : match["end"]].decode() == match["match"]["text"]
    assert files_of(up, project, "/find/file", query="read") == ["README.md"]
    assert files_of(up, project, "/find/file", query="sgr")[0] == "src/größe.py"
    assert files_of(up, project, "/find/file", query="src", type="directory") == ["src/"]
    assert files_of(up, project, "/find/symbol", query="a") == []
    where = f"directory={quote(str(project))}"
    assert "X-Weir-Incomplete" not in up.call("GET", f"/find?{where}&pattern=w").headers
    (project / "many").write_text("wxyz\n" * 101)
    cut = up.call("GET", f"/find?{where}&pattern=wxyz")
    assert len(cut.body) == 100
    assert cut.headers["X-Weir-Incomplete"] == "there are more than these 100 lines"
    assert cut.headers["Access-Control-Expose-Headers"] == "X-Weir-Incomplete"
    refused = up.call("GET", f"/find?directory={quote(str(project))}&pattern=%28")
    assert (refused.status, refused.body["data"]["field"]) == (400, "pattern")


def test_what_differs_from_the_last_commit_is_listed(up, tmp_path):
    folder = home.project(tmp_path / "repo")
    (folder / "README.md").write_text("one\ntwo\n")
    (folder / "new.txt").write_text("new\n")
    changes = files_of(up, folder, "/file/status")
    assert {one["path"]: one["status"] for one in changes} == {
        "README.md": "modified",
        "new.txt": "added",
    }


def test_a_command_of_the_shell_runs_as_the_users_own(up, project):
    session = up.session(str(project))
    stream = stream_of(up, str(project))
    body = {"agent": "build", "command": "echo hi; ls; exit 3"}
    reply = up.call("POST", f"/session/{session}/shell", body, timeout_s=DEADLINE_S)
    answer = check(reply, "post", f"{SESSION}/shell")
    (part,) = answer["parts"]
    assert part["tool"] == "bash"
    assert part["state"]["input"] == {"command": "echo hi; ls; exit 3"}
    assert part["state"]["output"].startswith("hi\nREADME.md\n")
    asked, answered = messages_of(up, session)
    assert answered == answer
    assert asked["parts"][0]["synthetic"] is True
    assert "completed" in answer["info"]["time"]
    events = until_marked(up, stream, session)
    states = [
        event["properties"]["part"]["state"]["status"]
        for event in events
        if event["properties"].get("part", {}).get("type") == "tool"
    ]
    assert (states[0], states[-1]) == ("running", "completed")
    assert "session.idle" in [event["type"] for event in events]


def test_an_abort_ends_a_command_of_the_shell(up, project):
    session = up.session(str(project))
    stream = stream_of(up, str(project))
    body = {"agent": "build", "command": "echo begun; sleep 300"}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            up.call, "POST", f"/session/{session}/shell", body, timeout_s=DEADLINE_S
        )
        stream.until(lambda event: "'output': 'begun" in str(event["properties"]))
        assert up.call("POST", f"/session/{session}/abort").body is True
        answer = running.result()
    assert answer.status == 200
    assert "User aborted the command" in answer.body["parts"][0]["state"]["output"]
    assert session not in up.call("GET", f"/session/status?directory={quote(str(project))}").body


def test_a_command_of_the_shell_that_cannot_run_is_refused(up, session):
    for body, field in (
        ({"agent": "nobody", "command": "ls"}, "agent"),
        ({"agent": "build"}, "command"),
        ({"agent": "build", "command": ""}, "command"),
        ({"command": " "}, "command"),
        ({"command": "echo \0"}, "command"),
        ({"command": "x" * 100_001}, "command"),
        ({"command": "ls", "model": {"providerID": "a", "modelID": "b"}}, "model"),
    ):
        refused = up.call("POST", f"/session/{session}/shell", body)
        assert (refused.status, refused.body["data"]["field"]) == (400, field)
    assert up.call("POST", "/session/ses_x/shell", {"command": "ls"}).status == 404
    assert messages_of(up, session) == []
