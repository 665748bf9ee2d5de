"""The HTTP surface of `weir up` in front of a model, over real sockets and processes."""

import itertools
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import quote, urlsplit

import pytest

from tests.blackbox.weir_up import prompt, said, weir_up
from tests.fakes.process import start_provider
from tests.openapi import check
from tests.processes import wait_until
from tests.reference import fold
from tests.sse_client import SseClient

HERE, THERE = "/srv/demo/here", "/srv/дём o+ü"
SESSION = "/session/{sessionID}"
MESSAGES = f"{SESSION}/message"
MESSAGE = f"{MESSAGES}/{{messageID}}"


@pytest.fixture(scope="module")
def provider():
    """The scripted model."""
    with start_provider() as running:
        yield running


@pytest.fixture(scope="module")
def up(provider, tmp_path_factory):
    """A deployment in front of it."""
    flags = ["--workers", "2", "--model-url", provider.url, "--model", "m1"]
    with weir_up(tmp_path_factory.mktemp("up"), *flags) as shared:
        yield shared


@pytest.fixture
def session(up):
    """The id of a new session."""
    return up.session(HERE)


def stream_of(up, directory):
    stream = SseClient(f"{up.url}/event?directory={quote(directory)}")
    assert json.loads(stream.next().data)["type"] == "server.connected"
    return stream


def until_marked(up, stream, session):
    """The events of a stream so far: up to a change of the session's title, made now."""
    title = f"marked at {time.monotonic_ns()}"
    assert up.call("PATCH", f"/session/{session}", {"title": title}).status == 200
    return stream.until(lambda event: event["properties"].get("info", {}).get("title") == title)


def messages_of(up, session):
    return check(up.call("GET", f"/session/{session}/message"), "get", MESSAGES)


@pytest.mark.parametrize(
    "path",
    [
        "/global/health",
        "/config",
        "/config/providers",
        "/provider",
        "/provider/auth",
        "/agent",
        "/path",
        "/project",
        "/project/current",
        "/session",
        "/session/status",
        "/permission",
        "/question",
        "/command",
        "/skill",
        "/mcp",
        "/lsp",
        "/formatter",
        "/vcs",
        "/experimental/capabilities",
        "/experimental/console",
        "/experimental/resource",
        "/experimental/workspace",
        "/experimental/workspace/status",
    ],
)
@pytest.mark.parametrize("directory", [HERE, THERE])
def test_what_clients_ask_for_at_their_start_is_as_opencode_has_it(up, path, directory):
    reply = up.call("GET", f"{path}?directory={quote(directory)}")
    assert reply.status == 200
    check(reply, "get", path)


def test_the_model_on_offer_is_the_one_that_was_set(up, provider):
    assert up.call("GET", "/config").body["model"] == "openai-compatible/m1"
    [offered] = up.call("GET", "/config/providers").body["providers"]
    assert offered["models"]["m1"]["api"]["url"] == provider.url


def test_the_directory_of_a_request_comes_from_query_or_header(up):
    by_query = up.call("GET", f"/path?directory={quote(THERE)}").body
    by_header = up.call("GET", "/path", headers={"x-opencode-directory": quote(THERE)}).body
    assert by_query["directory"] == by_header["directory"] == THERE


def test_a_session_is_made_read_changed_listed_and_removed(up):
    body = {"title": "first", "metadata": {"ü": [1, None]}, "agent": "build"}
    made = check(up.call("POST", f"/session?directory={quote(THERE)}", body), "post", "/session")
    path = f"/session/{made['id']}"
    assert (made["title"], made["directory"], made["metadata"]) == (
        "first",
        THERE,
        {"ü": [1, None]},
    )
    assert check(up.call("GET", path), "get", SESSION) == made

    changed = check(up.call("PATCH", path, {"title": "second"}), "patch", SESSION)
    assert changed["title"] == "second"
    assert changed["metadata"] == made["metadata"]
    assert changed["time"]["updated"] >= made["time"]["updated"]
    archived = up.call("PATCH", path, {"time": {"archived": 12345}}).body
    assert archived["time"]["archived"] == 12345
    assert up.call("GET", path).body == archived

    listed = check(up.call("GET", f"/session?directory={quote(THERE)}"), "get", "/session")
    assert archived in listed
    assert check(up.call("DELETE", path), "delete", SESSION) is True
    assert check(up.call("GET", path), "get", SESSION)["name"] == "NotFoundError"
    assert archived not in up.call("GET", f"/session?directory={quote(THERE)}").body


def test_a_session_needs_no_body(up):
    made = check(up.call("POST", "/session"), "post", "/session")
    assert made["title"].startswith("New session - ")


def test_sessions_are_listed_by_what_is_asked(up):
    where = "/srv/demo/lists"
    parent = up.session(where, title="The Parent")
    child = up.session(where, title="a child", parentID=parent)
    last = up.session(where, title="the last")
    up.session("/srv/demo/elsewhere", title="the other")

    def listed(query):
        found = check(
            up.call("GET", f"/session?directory={quote(where)}&{query}"), "get", "/session"
        )
        return [session["id"] for session in found]

    assert listed("") == [last, child, parent]
    assert listed("roots=true") == [last, parent]
    assert listed("limit=1") == [last]
    assert listed("search=parent") == [parent]
    assert listed(f"start={int(time.time() * 1000) + 60_000}") == []
    changed = up.call("PATCH", f"/session/{parent}", {"title": "changed"}).body
    assert listed(f"start={changed['time']['updated']}")[0] == parent
    assert len(listed("scope=project")) > 3


def test_a_child_goes_with_its_parent(up):
    parent = up.session(HERE)
    child = up.session(HERE, parentID=parent)
    assert up.call("DELETE", f"/session/{parent}").body is True
    assert up.call("GET", f"/session/{child}").status == 404


def test_a_blocking_prompt_answers_with_the_message(up, session):
    reply = up.call("POST", f"/session/{session}/message", prompt("three words back"))
    answer = check(reply, "post", MESSAGES)
    assert said(answer) == "three words back"
    assert answer["info"]["finish"] == "stop"
    assert answer["info"]["tokens"]["input"] == 11
    path = f"/session/{session}/message/{answer['info']['id']}"
    assert check(up.call("GET", path), "get", MESSAGE) == answer
    user, stored = messages_of(up, session)
    assert stored == answer
    assert said(user) == "three words back"
    assert answer["info"]["parentID"] == user["info"]["id"]


def test_a_prompt_without_reply_is_stored_and_not_answered(up, session):
    body = prompt("for later", noReply=True, messageID="msg_given")
    reply = up.call("POST", f"/session/{session}/message", body)
    assert (reply.status, reply.body["info"]["id"]) == (200, "msg_given")
    assert [message["info"]["role"] for message in messages_of(up, session)] == ["user"]
    assert up.call("POST", f"/session/{session}/message", body).status == 409


def test_a_conversation_is_sent_to_the_model(up, provider, session):
    up.prompt(session, "first words")
    up.prompt(session, "second words")
    assert [said(message) for message in messages_of(up, session)] == [
        "first words",
        "first words",
        "second words",
        "second words",
    ]


def test_pages_of_messages_give_all_of_them_once(up, session):
    for number in range(5):
        body = prompt(f"number {number}", noReply=True)
        assert up.call("POST", f"/session/{session}/message", body).status == 200
    everything = messages_of(up, session)
    assert [said(message) for message in everything] == [f"number {n}" for n in range(5)]

    pages, path = [], f"/session/{session}/message?limit=2"
    while path:
        reply = up.call("GET", path)
        pages.append(check(reply, "get", MESSAGES))
        cursor, link = reply.headers["X-Next-Cursor"], reply.headers["Link"]
        assert (cursor is None) == (link is None)
        path = cursor and f"/session/{session}/message?limit=2&before={quote(cursor)}"
        if link:
            target, _, relation = link.partition(">; ")
            followed = urlsplit(target.removeprefix("<"))
            assert relation == 'rel="next"'
            assert up.call("GET", f"{followed.path}?{followed.query}").body == (
                up.call("GET", path).body
            )
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [message for page in reversed(pages) for message in page] == everything


@pytest.mark.parametrize("limit", [5, 6, 1000])
def test_a_page_that_holds_all_has_no_cursor(up, session, limit):
    for number in range(5):
        up.call("POST", f"/session/{session}/message", prompt(f"{number}", noReply=True))
    reply = up.call("GET", f"/session/{session}/message?limit={limit}")
    assert len(reply.body) == 5
    assert reply.headers["X-Next-Cursor"] is None


def test_a_prompt_in_the_background_is_busy_until_it_is_aborted(up, session, provider):
    def status():
        reply = up.call("GET", f"/session/status?directory={quote(HERE)}")
        return check(reply, "get", "/session/status").get(session, {"type": "idle"})["type"]

    with stream_of(up, HERE) as stream:
        reply = up.call("POST", f"/session/{session}/prompt_async", prompt("hang 5"))
        assert (reply.status, reply.body) == (204, None)
        stream.until(lambda event: event["type"] == "message.part.delta")
        assert status() == "busy"
        aborted = up.call("POST", f"/session/{session}/abort")
        assert check(aborted, "post", f"{SESSION}/abort") is True
        assert status() == "idle"
    answer = messages_of(up, session)[-1]
    assert answer["info"]["error"]["name"] == "MessageAbortedError"
    assert said(answer).count("|") == 5
    provider.wait_for(lambda seen: any(r["prompt"] == "hang 5" and r["aborted"] for r in seen))
    assert up.call("POST", f"/session/{session}/abort").body is True


def test_a_client_that_does_not_wait_for_its_answer_gets_it_stored(up, session):
    with pytest.raises(TimeoutError):
        up.call("POST", f"/session/{session}/message", prompt("rate 100 20"), timeout_s=0.05)
    wait_until(lambda: said(messages_of(up, session)[-1]).count("|") >= 20, what="the answer")


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
        ("/session?directory=relative", "directory"),
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
    assert "'nonsense' is no cursor" in reply.body["data"]["message"]


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
@pytest.mark.parametrize("unknown", ["ses_unknown", "☃", "%2e%2e%2f"])
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


def test_the_todo_list_and_the_diff_of_a_session_are_empty(up, session):
    for what in ("todo", "diff"):
        reply = up.call("GET", f"/session/{session}/{what}")
        assert check(reply, "get", f"{SESSION}/{what}") == []


SCRIPTS = {
    "reason 10 text 10": (10, None),
    "storm 2000 40": (2000, None),
    "cut 5": (5, "APIError"),
    "badjson 3": (3, "APIError"),
    "error 400 nope": (0, "APIError"),
    "flaky 429 1 then 5": (5, None),
    "length 4": (4, None),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_reader_gathers_is_what_is_stored(up, session, script):
    count, error = SCRIPTS[script]
    with stream_of(up, HERE) as stream:
        reply = up.call("POST", f"/session/{session}/message", prompt(script))
        answer = check(reply, "post", MESSAGES)
        got = until_marked(up, stream, session)
    assert fold(got).messages_of(session) == messages_of(up, session)
    assert said(answer).count("|") == count
    assert said(answer, "reasoning").count("|") == (10 if "reason" in script else 0)
    assert answer["info"].get("error", {}).get("name") == error
    statuses = [e["properties"]["status"]["type"] for e in got if e["type"] == "session.status"]
    assert (statuses[0], statuses[-1]) == ("busy", "idle")
    assert ("retry" in statuses) == ("flaky" in script)


def test_a_failure_is_told_in_the_stream_as_it_is_stored(up, session):
    with stream_of(up, HERE) as stream:
        answer = up.prompt(session, "error 400 nope")
        got = until_marked(up, stream, session)
    [error] = [event["properties"] for event in got if event["type"] == "session.error"]
    assert error == {"sessionID": session, "error": answer["info"]["error"]}
    assert error["error"]["data"]["message"] == "nope"
    assert error["error"]["data"]["statusCode"] == 400


def test_two_sessions_at_once_in_two_directories_do_not_mix(up):
    where = {HERE: "rate 400 200 60", THERE: "storm 1500 33"}
    sessions = {directory: up.session(directory) for directory in where}
    with ExitStack() as stack, ThreadPoolExecutor() as threads:
        streams = {at: stack.enter_context(stream_of(up, at)) for at in where}
        bystander = stack.enter_context(stream_of(up, "/srv/demo/nothing"))
        turns = {
            at: threads.submit(up.prompt, sessions[at], script) for at, script in where.items()
        }
        answers = {at: turn.result(20) for at, turn in turns.items()}
        for directory, stream in streams.items():
            mine = sessions[directory]
            got = until_marked(up, stream, mine)
            assert {event["properties"].get("sessionID") for event in got} <= {mine, None}
            assert fold(got).messages_of(mine)[-1] == answers[directory]
        quiet = up.session("/srv/demo/nothing")
        assert until_marked(up, bystander, quiet)[0]["properties"]["sessionID"] == quiet
    assert said(answers[HERE]).count("|") == 400
    assert said(answers[THERE]).count("|") == 1500


def test_prompts_of_one_session_are_answered_one_after_the_other(up, session):
    scripts = [f"storm {n} 40" for n in range(1, 6)]
    with ThreadPoolExecutor() as threads:
        answers = list(threads.map(lambda script: up.prompt(session, script), scripts))
    assert [said(answer).count("|") for answer in answers] == [1, 2, 3, 4, 5]
    stored = [one for one in messages_of(up, session) if one["info"]["role"] == "assistant"]
    spans = [(one["info"]["time"]["created"], one["info"]["time"]["completed"]) for one in stored]
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_unknown_routes_and_methods_answer_json(up):
    for method, path, status in (
        ("GET", "/no/such/route", 404),
        ("POST", "/no/such/route", 404),
        ("DELETE", "/session", 405),
        ("PUT", "/global/event", 405),
    ):
        reply = up.call(method, path)
        assert reply.status == status
        assert path in reply.body["data"]["message"]


def test_a_processor_that_hangs_or_is_gone_is_told_apart_and_health_never_waits(tmp_path):
    with weir_up(tmp_path, "--workers", "1", "--command-timeout", "1") as up:
        [processor] = up.pids("processor")
        up.prompt(up.session(), "storm 1 9")
        os.kill(processor, signal.SIGSTOP)
        start = time.monotonic()
        hung = up.call("GET", "/session")
        assert hung.status == 504
        assert "within 1 s" in hung.body["data"]["message"]
        assert 1 <= time.monotonic() - start < 3
        check_health(up)
        os.kill(processor, signal.SIGCONT)
        wait_until(up.answers)

        # The supervisor must not put a new one in its place for a while.
        up.running.process.send_signal(signal.SIGSTOP)
        os.kill(processor, signal.SIGKILL)
        gone = wait_until(
            lambda: (reply := up.call("GET", "/session")).status == 503 and reply, what="503"
        )
        assert gone.body["name"] == "ServiceUnavailableError"
        assert int(gone.headers["Retry-After"]) > 0
        check_health(up)
        up.running.process.send_signal(signal.SIGCONT)
        wait_until(up.answers)
        assert said(up.prompt(up.session(), "storm 1 9")) == "0000000| "


def check_health(up):
    start = time.monotonic()
    assert up.call("GET", "/global/health").body["healthy"] is True
    assert time.monotonic() - start < 0.5
