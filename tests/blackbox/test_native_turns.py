"""Prompts to `weir up` in front of a model: what is answered, streamed and stored."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from tests.blackbox.native import (
    HERE,
    MESSAGE,
    MESSAGES,
    SESSION,
    THERE,
    messages_of,
    stream_of,
    until_marked,
)
from tests.blackbox.weir_up import prompt, said
from tests.openapi import check
from tests.processes import DEADLINE_S, wait_until
from tests.raw_client import RawClient
from tests.reference import fold


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
    def stored():
        return "".join(map(said, messages_of(up, session))).count("|")

    body = json.dumps(prompt("rate 10 40")).encode()
    with RawClient(up.url) as client:
        client.get(f"/session/{session}/message", f"Content-Length: {len(body)}", method="POST")
        client.send(body)
        wait_until(stored, what="the first words of the answer")
    wait_until(lambda: stored() >= 80, what="the answer")


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
    # A worker may hear the end of another session's turn only now.
    told = [e["properties"] for e in got if e["type"] == "session.status"]
    statuses = [one["status"]["type"] for one in told if one["sessionID"] == session]
    assert (statuses[0], statuses[-1]) == ("busy", "idle")
    assert ("retry" in statuses) == ("flaky" in script)


def test_a_failure_is_told_in_the_stream_as_it_is_stored(up, session):
    with stream_of(up, HERE) as stream:
        answer = up.prompt(session, "error 400 nope")
        got = until_marked(up, stream, session)
    errors = [event["properties"] for event in got if event["type"] == "session.error"]
    [error] = [one for one in errors if one["sessionID"] == session]
    assert error == {"sessionID": session, "error": answer["info"]["error"]}
    assert error["error"]["data"]["message"] == "nope"
    assert error["error"]["data"]["statusCode"] == 400


def test_two_sessions_at_once_in_two_directories_do_not_mix(up):
    here = f"{HERE}/alone"
    where = {here: "rate 400 200 60", THERE: "storm 1500 33"}
    sessions = {directory: up.session(directory) for directory in where}
    with ExitStack() as stack, ThreadPoolExecutor() as threads:
        streams = {at: stack.enter_context(stream_of(up, at)) for at in where}
        bystander = stack.enter_context(stream_of(up, "/srv/demo/nothing"))
        turns = {
            at: threads.submit(up.prompt, sessions[at], script) for at, script in where.items()
        }
        answers = {at: turn.result(DEADLINE_S) for at, turn in turns.items()}
        for directory, stream in streams.items():
            mine = sessions[directory]
            got = until_marked(up, stream, mine)
            assert {event["properties"].get("sessionID") for event in got} <= {mine, None}
            assert fold(got).messages_of(mine)[-1] == answers[directory]
        quiet = up.session("/srv/demo/nothing")
        assert until_marked(up, bystander, quiet)[0]["properties"]["sessionID"] == quiet
    assert said(answers[here]).count("|") == 400
    assert said(answers[THERE]).count("|") == 1500


def test_prompts_of_one_session_are_answered_one_after_the_other(up, session):
    scripts = [f"storm {n} 40" for n in range(1, 6)]
    with ThreadPoolExecutor() as threads:
        answers = list(threads.map(lambda script: up.prompt(session, script), scripts))
    assert [said(answer).count("|") for answer in answers] == [1, 2, 3, 4, 5]
    stored = [one for one in messages_of(up, session) if one["info"]["role"] == "assistant"]
    spans = [(one["info"]["time"]["created"], one["info"]["time"]["completed"]) for one in stored]
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
