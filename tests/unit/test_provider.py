"""The scripted provider over a real socket: others trust what it sends and what it counts."""

import json
import socket
import time
from http.client import HTTPConnection, IncompleteRead
from itertools import pairwise
from urllib.parse import urlsplit

import pytest

from tests.fakes.process import DEADLINE_S, start_provider
from tests.fakes.scripts import numbered, words


@pytest.fixture(scope="module")
def provider():
    with start_provider() as running:
        yield running


def ask(provider, prompt, **extra):
    connection = HTTPConnection(urlsplit(provider.url).netloc, timeout=DEADLINE_S)
    messages = [
        {"role": "user", "content": "an earlier prompt"},
        {"role": "assistant", "content": "an earlier answer"},
        {"role": "user", "content": prompt},
    ]
    body = {"model": "m1", "stream": True, "messages": messages, **extra}
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    return connection


def frames(body):
    assert body.endswith(b"\n\n")
    lines = body.decode().removesuffix("\n\n").split("\n\n")
    assert all(line.startswith("data: ") for line in lines)
    return [line.removeprefix("data: ") for line in lines]


def answer(provider, prompt, **extra):
    connection = ask(provider, prompt, **extra)
    reply = connection.getresponse()
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/event-stream"
    *chunks, done = frames(reply.read())
    assert done == "[DONE]"
    connection.close()
    return chunks


def said(chunks, field="content"):
    parsed = [json.loads(chunk) for chunk in chunks]
    deltas = [choice["delta"] for chunk in parsed for choice in chunk["choices"]]
    return [delta[field] for delta in deltas if delta.get(field)]


def finish_reason(chunks):
    parsed = [json.loads(chunk) for chunk in chunks]
    return [c["finish_reason"] for chunk in parsed for c in chunk["choices"]][-1]


def last(provider):
    return provider.requests()[-1]


def test_storm_arrives_whole(provider):
    chunks = answer(provider, "storm 30000 40")
    texts = said(chunks)
    assert texts == numbered(30_000, 40)
    assert {len(text) for text in texts} == {40}
    assert texts[17].startswith("0000017|xxx")
    assert finish_reason(chunks) == "stop"


def test_chunks_have_the_shape_of_openai(provider):
    first, delta, finish, usage = (
        json.loads(chunk)
        for chunk in answer(provider, "storm 1 9", stream_options={"include_usage": True})
    )
    for chunk in (first, delta, finish, usage):
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["model"] == "m1"
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert delta["choices"] == [
        {"index": 0, "delta": {"content": "0000000| "}, "finish_reason": None}
    ]
    assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert usage["choices"] == []
    assert usage["usage"] == {"prompt_tokens": 11, "completion_tokens": 1, "total_tokens": 12}


def test_rate_keeps_its_deadlines(provider):
    before = time.monotonic_ns()
    texts = said(answer(provider, "rate 500 50"))
    after = time.monotonic_ns()
    stamps = [int(text.split("|")[1]) for text in texts]
    assert [int(text.split("|")[0]) for text in texts] == list(range(50))
    assert {len(text) for text in texts} == {40}
    assert all(a <= b for a, b in pairwise([before, *stamps, after]))
    # No delta is early; how late one may be is up to the machine.
    assert stamps[-1] - stamps[0] >= 0.9 * 49 / 500 * 1e9


def called(provider, prompt, results):
    """Return the texts of an answer, the tools that it calls, and why it ends."""
    after = [{"role": "tool", "tool_call_id": "call_1", "content": "done"}] * results
    messages = [
        {"role": "user", "content": "an earlier prompt"},
        {"role": "tool", "tool_call_id": "call_0", "content": "of before"},
        {"role": "user", "content": prompt},
        *after,
    ]
    chunks = answer(provider, prompt, messages=messages)
    names = [
        call["function"].get("name") for calls in said(chunks, "tool_calls") for call in calls
    ]
    return said(chunks), [name for name in names if name], finish_reason(chunks)


def test_texts_are_parted_by_tools(provider):
    for results in range(2):
        told = called(provider, "parts 3 4 40", results)
        assert told == (numbered(4), ["todowrite"], "tool_calls")
    assert called(provider, "parts 3 4 40", 2) == (numbered(4), [], "stop")


def test_work_calls_a_tool_at_a_time(provider):
    for results, tool in enumerate(("todowrite", "write", "bash")):
        told = called(provider, "work a.txt echo one then 2", results)
        assert told == (numbered(2), [tool], "tool_calls")
    assert called(provider, "work a.txt echo one then 2", 3) == (numbered(2), [], "stop")
    chunks = answer(provider, "work a.txt echo one then 2")
    assert said(chunks, "reasoning_content") == numbered(2)


def test_reasoning_comes_before_text(provider):
    chunks = answer(provider, "reason 3 text 2")
    assert said(chunks, "reasoning_content") == numbered(3)
    assert said(chunks) == numbered(2)


def test_length_ends_for_the_token_limit(provider):
    chunks = answer(provider, "length 2")
    assert said(chunks) == numbered(2)
    assert finish_reason(chunks) == "length"


@pytest.mark.parametrize("prompt", ["two  words\nand 🌊 more ", "", " ", "storm without numbers"])
def test_anything_else_is_echoed(provider, prompt):
    texts = said(answer(provider, prompt))
    assert texts == words(prompt)
    assert "".join(texts) == prompt


def test_prompt_may_come_in_parts(provider):
    parts = [{"type": "text", "text": "storm "}, {"type": "text", "text": "2 9"}]
    assert said(answer(provider, parts)) == numbered(2, 9)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [(400, "no such luck", "invalid_request_error"), (429, "42", "rate_limit_error")],
)
def test_error_is_json(provider, status, message, kind):
    reply = ask(provider, f"error {status} {message}").getresponse()
    assert reply.status == status
    error = {"message": message, "type": kind, "code": str(status)}
    assert json.load(reply) == {"error": error}


def test_flaky_answers_after_its_refusals(provider):
    prompt = "flaky 503 2 then 3"
    for _ in range(2):
        reply = ask(provider, prompt).getresponse()
        assert (reply.status, reply.headers["Retry-After"]) == (503, "0")
        assert json.load(reply)["error"]["type"] == "server_error"
    assert said(answer(provider, prompt)) == numbered(3)


def cut_text(provider, prompt):
    reply = ask(provider, prompt).getresponse()
    with pytest.raises(IncompleteRead) as cut:
        reply.read()
    whole, _, rest = cut.value.partial.decode().rpartition("\n\n")
    assert "[DONE]" not in whole + rest
    return said(frame.removeprefix("data: ") for frame in whole.split("\n\n"))


def test_cut_ends_inside_a_chunk_each_time(provider):
    for _ in range(2):
        assert cut_text(provider, "cut 3") == numbered(3)


def test_cutonce_is_whole_the_second_time(provider):
    assert cut_text(provider, "cutonce 3") == numbered(3)
    assert said(answer(provider, "cutonce 3")) == numbered(3)
    assert [r["aborted"] for r in provider.requests() if r["prompt"] == "cutonce 3"] == [False] * 2


def test_badjson_goes_on_to_a_proper_end(provider):
    *chunks, bad, finish = answer(provider, "badjson 3")
    assert said(chunks) == numbered(3)
    assert finish_reason([finish]) == "stop"
    with pytest.raises(json.JSONDecodeError):
        json.loads(bad)


def test_hang_notes_the_client_that_leaves(provider):
    connection = ask(provider, "hang 2")
    reply = connection.getresponse()
    seen = b""
    while seen.count(b"\n\n") < 3:
        seen += reply.read1()
    assert said(frames(seen)) == numbered(2)
    assert not last(provider)["aborted"]
    reply.close()
    connection.close()
    provider.wait_for(lambda requests: requests[-1]["aborted"])


def test_held_ends_once_it_is_released(provider):
    connection = ask(provider, "held 2")
    reply = connection.getresponse()
    seen = b""
    while seen.count(b"\n\n") < 3:
        seen += reply.read1()
    connection.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        connection.sock.recv(1, socket.MSG_PEEK)
    connection.sock.settimeout(DEADLINE_S)
    provider.release()
    assert finish_reason(frames(seen + reply.read())[:-1]) == "stop"


def test_silent_sends_no_headers(provider):
    connection = ask(provider, "silent")
    provider.wait_for(lambda requests: requests[-1]["prompt"] == "silent")
    connection.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        connection.sock.recv(1, socket.MSG_PEEK)
    connection.close()
    provider.wait_for(lambda requests: requests[-1]["aborted"])


def test_leaving_a_storm_is_noted(provider):
    connection = ask(provider, "storm 200000 100")
    connection.getresponse().read1(100)
    connection.sock.close()
    connection.close()
    provider.wait_for(lambda requests: requests[-1]["aborted"])


def test_models_and_their_requests_are_listed(provider):
    connection = HTTPConnection(urlsplit(provider.url).netloc, timeout=DEADLINE_S)
    connection.request("GET", "/v1/models")
    assert [model["id"] for model in json.load(connection.getresponse())["data"]] == ["m1"]
    assert last(provider) == {"path": "/v1/models", "prompt": "", "aborted": False}


def test_a_connection_is_used_again(provider):
    connection = ask(provider, "storm 1 9")
    connection.getresponse().read()
    used = connection.sock
    connection.request("GET", "/requests")
    assert json.load(connection.getresponse())[-1]["prompt"] == "storm 1 9"
    assert connection.sock is used


def test_provider_ends_with_its_block():
    with start_provider() as running:
        address = urlsplit(running.url)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port), timeout=DEADLINE_S)
