"""Agents of one's own at a real `weir up`: over HTTP, from curl, JavaScript and Python."""

import shutil
import subprocess
import sys

import pytest

from tests.blackbox.native import messages_of, stream_of, until_marked
from tests.blackbox.publishing import (
    END,
    WRITES,
    as_line,
    author,
    begin,
    connected,
    numbers,
    post,
    raw,
    readme_lines,
    send,
    text,
)
from tests.blackbox.weir_up import prompt, said
from tests.openapi import check
from tests.processes import DEADLINE_S, ROOT, environment, running, wait_until
from tests.reference import fold

EXAMPLES = ROOT / "docs" / "examples"


def test_bad_lines_are_named_and_the_rest_goes_on(up, session):
    lines = [
        begin(session),
        text("a"),
        b'{"type":"text","turn":"t","text":"\xff"}',
        b'{"type":"text","turn":"t","text":"' + b"x" * (3 << 20) + b'"}',
        b'{"type":"tool","turn":"t","call":"c","tool":"x","input":{"a":' + b"[" * 999 + b"]" * 999,
        b"nothing",
        {"type": "shout", "turn": "t"},
        {"type": "text", "turn": "t"},
        {"type": "text", "turn": "t", "text": "b", "turn ": 1},
        END,
        text("late"),
    ]
    *said_of_it, ack = send(up, "bad", *lines)
    errors = {one["line"]: one["message"] for one in said_of_it if one["type"] == "error"}
    allowed = errors.pop(7)
    assert allowed.startswith("type: Invalid value 'shout'; allowed: begin, text, ")
    assert errors == {
        3: "the line is not UTF-8: invalid start byte",
        4: "the line is longer than 1048576 bytes",
        5: "the line is nested deeper than 256 levels",
        6: "the line is not JSON: JSON is malformed: invalid character (byte 4)",
        8: "text: Object missing required field `text`",
        11: "turn: 't' has ended",
    }
    assert (ack["type"], ack["seq"]) == ("ack", 11)
    assert said(messages_of(up, session)[-1]) == "ab"


def test_a_process_of_the_same_name_fences_the_older_one(up, session):
    [ready] = send(up, "fenced", begin(session), epoch=5)
    assert ready["epoch"] == 5
    send(up, "fenced", text("mine", "u"), epoch=6)
    status, body = post(up, "fenced", as_line(text("zombie")), epoch=5)
    assert status == 409
    assert b"fenced" in body
    answer = wait_until(
        lambda: [m for m in messages_of(up, session) if "error" in m["info"]], what="the error"
    )
    assert "taken over" in answer[0]["info"]["error"]["data"]["message"]


def test_a_retry_appends_once(up, session):
    first = [begin(session), text("once ")]
    send(up, "again", *first, epoch=5, seq=1)
    send(up, "again", *first, text("only"), END, epoch=5, seq=1)
    assert [said(one) for one in messages_of(up, session)] == ["do it", "once only"]
    status, body = post(up, "again", as_line(END), epoch=5, seq=9)
    assert (status, b"line 5 comes next" in body) == (409, True)


@pytest.mark.skipif(not shutil.which("jq"), reason="the script needs jq")
def test_the_example_for_the_shell(up, tmp_path):
    (tmp_path / "a file").touch()
    script = [str(EXAMPLES / "curl.sh"), up.url, str(tmp_path)]
    session = subprocess.run(script, capture_output=True, text=True, check=True).stdout.strip()
    [_, answer] = messages_of(up, session)
    assert (said(answer), answer["info"]["agent"]) == ("a file\n", "shell")


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_example_for_javascript(up, session, tmp_path):
    command = ["node", str(EXAMPLES / "fetch.mjs"), up.url, "js"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            connected(up, "js")
            answer = up.call("POST", f"/session/{session}/message", prompt("hi", agent="js")).body
            assert process.wait(DEADLINE_S) == 0, process.stdout.read()
        finally:
            process.kill()
    assert (said(answer), said(answer, "reasoning")) == ("You said: hi", "This is easy.")


@pytest.mark.parametrize(
    ("example", "words"),
    [("asyncio_generator.py", "one two "), ("threads.py", "Both have run: one two")],
)
def test_the_examples_for_python(up, session, example, words, tmp_path):
    with running(str(EXAMPLES / example), up.url, log=tmp_path / "log", cwd=tmp_path):
        connected(up, "build")
        answer = up.call("POST", f"/session/{session}/message", prompt("one two")).body
    assert said(answer) == words


def test_the_example_for_the_openai_client(up, session, provider, tmp_path):
    command = [str(EXAMPLES / "openai_client.py"), up.url, provider.url, "m1"]
    with running(*command, log=tmp_path / "log", cwd=tmp_path):
        connected(up, "build")
        answer = up.call("POST", f"/session/{session}/message", prompt("one two")).body
    assert said(answer) == "one two"
    assert answer["info"]["tokens"]["input"] > 0


def test_the_example_for_pydantic_ai(up, session, tmp_path):
    command = [str(EXAMPLES / "pydantic_agent.py"), up.url, "test"]
    with running(*command, log=tmp_path / "log", cwd=tmp_path):
        connected(up, "build")
        up.call("POST", f"/session/{session}/prompt_async", prompt("one two"))
        where = f"/permission?directory={tmp_path}"
        [ask] = wait_until(lambda: up.call("GET", where).body, what="the ask")
        up.call("POST", f"/permission/{ask['id']}/reply", {"reply": "once"})
        wait_until(lambda: "once" in said(messages_of(up, session)[-1]), what="the answer")
    [call] = [part for part in messages_of(up, session)[-1]["parts"] if part["type"] == "tool"]
    assert call["state"]["output"] == "removed"


def test_a_stream_of_lines_is_answered_as_they_come(up, session):
    with raw(up, "POST", "/weir/agents/live", chunked=True) as live:
        live.send_line(begin(session))
        assert live.line()["seq"] == 1
        live.send_line(text("now"))
        assert live.line()["seq"] == 2
        assert said(messages_of(up, session)[-1]) == "now"
        live.send_line(END)
        assert live.line()["seq"] == 3


def test_a_body_that_breaks_off_is_refused_and_what_was_acknowledged_stays(up, session):
    with raw(up, "POST", "/weir/agents/broken", length=500) as half:
        half.write(as_line(begin(session)))
    assert messages_of(up, session) == []
    with raw(up, "POST", "/weir/agents/broken", chunked=True) as live:
        live.send_line(begin(session))
        assert live.until("ack")["seq"] == 1
        live.write(b"no size\r\n")
        assert live.until("failed")["status"] == 400
    assert [said(one) for one in messages_of(up, session)] == ["do it", ""]


def test_a_person_answers_what_an_agent_asks(up, session, tmp_path):
    asks = [
        {"type": "ask", "turn": "t", "ask": "a", "permission": "bash", "patterns": ["rm"]},
        {"type": "question", "turn": "t", "ask": "q"}
        | {"questions": [{"question": "why", "header": "w", "options": []}]},
    ]
    with raw(up, "GET", "/weir/agents/asking") as work:
        epoch = work.until("ready")["epoch"]
        assert send(up, "asking", begin(session), *asks, epoch=epoch)[-1]["type"] == "ack"
        here = f"directory={tmp_path}"
        [permission] = check(up.call("GET", f"/permission?{here}"), "get", "/permission")
        [question] = check(up.call("GET", f"/question?{here}"), "get", "/question")
        path = f"/permission/{permission['id']}/reply"
        assert up.call("POST", path, {"reply": "perhaps"}).status == 400
        reply = up.call(
            "POST", f"/session/{session}/permissions/{permission['id']}", {"response": "once"}
        )
        assert reply.body is True
        path = f"/question/{question['id']}"
        assert up.call("POST", f"{path}/reply", {"answers": []}).status == 400
        assert up.call("POST", f"{path}/reject").body is True
        assert up.call("POST", f"{path}/reject").status == 404
        replies = [work.until("reply") for _ in asks]
    assert [(one["ask"], one["reply"]) for one in replies] == [("a", "once"), ("q", "reject")]


SERVES = """
import sys, time, weir
def answer(turn):
    if turn.prompt == "hang":
        yield "half"
        while True:
            time.sleep(0.01)
            yield ""
    yield "You said: " + turn.messages()[-1]["content"]
weir.serve(answer, sys.argv[1], name=sys.argv[2])
"""


def test_the_lines_of_the_readme_publish_a_turn(up, tmp_path):
    with stream_of(up, str(tmp_path)) as stream:
        with author(up, tmp_path, readme_lines(up)) as process:
            assert process.process.wait(DEADLINE_S) == 0, process.output
        session = up.call("GET", f"/session?directory={tmp_path}").body[0]["id"]
        got = fold(until_marked(up, stream, session))
    [question, answer] = check(
        up.call("GET", f"/session/{session}/message"), "get", "/session/{sessionID}/message"
    )
    assert (said(question), said(answer)) == ("do it", "Hello world")
    assert got.messages_of(session) == [question, answer]
    assert got.todos[session] == up.call("GET", f"/session/{session}/todo").body != []


def test_a_prompt_to_a_python_agent_is_answered_and_its_abort_arrives(up, session, tmp_path):
    with author(up, tmp_path, SERVES, "py"):
        connected(up, "py")
        body = prompt("hi", agent="py")
        assert said(up.call("POST", f"/session/{session}/message", body).body) == "You said: hi"
        up.call("POST", f"/session/{session}/prompt_async", prompt("hang", agent="py"))
        wait_until(lambda: said(messages_of(up, session)[-1]) == "half")
        assert up.call("POST", f"/session/{session}/abort").body is True
        answer = messages_of(up, session)[-1]
        assert answer["info"]["error"]["name"] == "MessageAbortedError"
        body = prompt("still there?", agent="py")
        assert "still" in said(up.call("POST", f"/session/{session}/message", body).body)


def test_a_client_imports_nothing_that_it_does_not_need():
    program = "import sys, weir; print({'gevent', 'zmq', 'falcon'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True
    )
    assert done.stdout == "set()\n", done.stderr


def test_what_a_reader_gathers_is_what_is_stored(up, session, tmp_path):
    with stream_of(up, str(tmp_path)) as stream:
        with author(up, tmp_path, WRITES, "storm", session, "30000") as process:
            assert process.process.wait(DEADLINE_S) == 0, process.output
        got = fold(until_marked(up, stream, session))
    assert got.messages_of(session) == messages_of(up, session)
    assert numbers(messages_of(up, session)[-1]) == list(range(30000))
