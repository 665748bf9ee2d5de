"""Models that misbehave, by name: what each sends, and what must come of it.

`tests.fakes.provider` plays the steps of a model with such a name, whatever the prompt. Another
misbehaviour is one more line in a table.
"""

import json
from itertools import pairwise

from tests.fakes.odd_wire import (
    DONE,
    FINISH,
    TOKENS,
    USAGE,
    A,
    B,
    Odd,
    Request,
    Wire,
    arguments,
    body,
    chunk,
    comments,
    cut,
    data,
    delta,
    empty_chunks,
    end,
    finish,
    hold,
    pause,
    raw,
    refuse,
    stream,
    unless,
    whole,
)


def _alternates(request: Request) -> bool:
    roles = [one["role"] for one in request["messages"]]
    full = all(one["content"] for one in request["messages"])
    return full and roles[0] == "user" and all(a != b for a, b in pairwise(roles))


def _has_image(request: Request) -> bool:
    return "image_url" in json.dumps(request["messages"])


COMPLETION = {"choices": [{"message": {"content": "ab"}, "finish_reason": "stop"}], "usage": USAGE}
DETAIL = {"detail": [{"loc": ["body", "model"], "msg": "field required", "type": "missing"}]}
NO_OPTIONS = {"detail": [{"loc": ["body", "stream_options"], "msg": "extra not permitted"}]}
LONE, HIGH, LOW = rb'{"content":"\ud83c"}', rb'{"content":"\ud83c"}', rb'{"content":"\udf0a"}'

# The answer is whole, whatever the connection does after it.
ENDS: dict[str, Odd] = {
    "stays open": Odd(stream(A, B, FINISH, hold)),
    "stays open after the tokens": Odd(stream(A, B, FINISH, TOKENS, hold), asked=7),
    "stays open after the end": Odd(stream(A, B, FINISH, DONE, hold)),
    "comments for ever": Odd(stream(A, B, FINISH, comments)),
    "empty chunks for ever": Odd(stream(A, B, FINISH, empty_chunks)),
    "finish for ever": Odd(stream(A, B, *[FINISH, pause(0.4)] * 20, hold)),
    "ends": Odd(stream(A, B, FINISH, end)),
    "is cut": Odd(stream(A, B, FINISH, cut)),
    "is reset": Odd(stream(A, B, FINISH, pause(0.1), Wire.reset)),
    "junk": Odd(stream(A, B, FINISH, data(b"{junk"), b"<html>\n\n", TOKENS, DONE, end), asked=7),
    "an error": Odd(stream(A, B, FINISH, data({"error": {"message": "late"}}), end)),
    "a named error": Odd(stream(A, B, FINISH, b"event: error\ndata: late\n\n", hold)),
    "tokens late": Odd(stream(A, B, FINISH, pause(3), TOKENS, DONE, end), asked=7),
    "tokens very late": Odd(stream(A, B, FINISH, pause(5), TOKENS, hold), asked=7),
    "text after the finish": Odd(stream(A, FINISH, pause(0.5), B, hold)),
    "half a character": Odd(stream(A, raw(HIGH), FINISH, hold), text="a\ufffd"),
    "half an event": Odd(stream(A, B, FINISH, b'data: {"choices":[', hold)),
    "no last line feed, stays open": Odd(stream(A, B, FINISH.rstrip(), hold)),
    "no last line feed, is reset": Odd(stream(A, B, FINISH.rstrip(), pause(0.1), Wire.reset)),
    "no last line feed after the end": Odd(stream(A, B, DONE.rstrip(), hold), finish="unknown"),
    "not streamed, stays open": Odd(stream(json.dumps(COMPLETION).encode(), hold), asked=7),
    "not streamed, in lines, stays open": Odd(
        stream(json.dumps(COMPLETION, indent=2).encode(), hold), asked=7
    ),
    "tokens late, no line feed": Odd(
        stream(A, B, FINISH, pause(2), TOKENS.rstrip(), hold), asked=7
    ),
}

# Odd, but nothing is missing.
HARMLESS: dict[str, Odd] = {
    "usage null": Odd(whole(chunk(usage=None))),
    "usage float": Odd(whole(B, data({"usage": {"prompt_tokens": 7.0}})), asked=7),
    "usage string": Odd(whole(chunk(usage="none"))),
    "usage counts in strings": Odd(whole(chunk(usage={"prompt_tokens": "7"})), asked=7),
    "usage counts null": Odd(whole(B, TOKENS, data({"usage": {"prompt_tokens": None}})), asked=7),
    "usage list": Odd(whole(chunk(usage=[1, 2]))),
    "usage negative": Odd(whole(chunk(usage={"prompt_tokens": -4, "total_tokens": 1e400}))),
    "usage details list": Odd(whole(chunk(usage={**USAGE, "prompt_tokens_details": []})), asked=7),
    "usage in the choice": Odd(
        whole(data({"choices": [{"delta": {"content": "b"}, "usage": USAGE}]})), asked=7
    ),
    "content in parts": Odd(
        whole(
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]),
            delta(content=[{"type": "text", "text": "b"}, {"type": "image_url"}]),
        ),
        thought="hm",
    ),
    "content an object": Odd(whole(delta(content={"type": "text", "text": "b"}))),
    "content null": Odd(whole(delta(content=None), B)),
    "reasoning an object": Odd(whole(delta(reasoning={"content": "hm"}), B), thought="hm"),
    "reasoning details": Odd(
        whole(delta(reasoning_details=[{"type": "reasoning.text", "text": "hm"}]), B), thought="hm"
    ),
    "reasoning false": Odd(whole(delta(reasoning=False, content="b"))),
    "finish a number": Odd(stream(A, B, finish(1), DONE, end), finish="unknown"),
    "finish a number, stays open": Odd(stream(A, B, finish(1), hold), finish="unknown"),
    "finish null in words": Odd(stream(finish("null"), A, B, FINISH, DONE, end)),
    "finish empty": Odd(stream(finish(""), A, B, FINISH, DONE, end)),
    "finish an object": Odd(stream(A, B, finish({"type": "stop"}), end), finish="unknown"),
    "finish in the delta": Odd(stream(A, delta(content="b", finish_reason="stop"), hold)),
    "finish beside the choices": Odd(stream(A, chunk(finish_reason="stop"), hold)),
    "finish with blanks": Odd(stream(A, B, finish(" stop "), end)),
    "finish in capitals": Odd(stream(A, B, finish("STOP"), end)),
    "max_tokens": Odd(stream(A, B, finish("MAX_TOKENS"), end), finish="length"),
    "a number of 5000 digits": Odd(
        whole(B, data(b'{"usage":{"prompt_tokens":7,"of":%b}}' % (b"1" * 5000)), B),
        text="abb",
        asked=7,
    ),
    "control characters as they are": Odd(whole(raw(b'{"content":"b\t"}')), text="ab\t"),
    "NaN": Odd(whole(data(b'{"choices":[{"delta":{"content":"b"},"logprob":NaN}]}'))),
    "choices an object": Odd(whole(data({"choices": {"delta": {"content": "b"}}}))),
    "choices by number": Odd(whole(data({"choices": {"0": {"delta": {"content": "b"}}}}))),
    "choices null": Odd(whole(data({"choices": None}), B)),
    "choices of null": Odd(whole(data({"choices": [None]}), B)),
    "delta a string": Odd(whole(data({"choices": [{"delta": "b"}]}))),
    "delta a list": Odd(whole(data({"choices": [{"delta": [{"text": "b"}]}]}))),
    "delta null": Odd(whole(data({"choices": [{"delta": None}]}), B)),
    "text": Odd(whole(B, data({"choices": [{"text": "more"}]}))),
    "texts alone": Odd(stream(*[data({"choices": [{"text": one}]}) for one in "ab"], FINISH, end)),
    "messages alone": Odd(
        stream(*[data({"choices": [{"message": {"content": one}}]}) for one in "ab"], FINISH, end)
    ),
    "whole message at the end": Odd(whole(B, data({"choices": [{"message": {"content": "ab"}}]}))),
    "error empty": Odd(whole(chunk(error=""))),
    "error false": Odd(whole(chunk(error=False))),
    "error an object": Odd(whole(chunk(error={}))),
    "error of nulls": Odd(whole(chunk(error={"message": None, "code": 0}))),
    "error fine in words": Odd(whole(chunk(error="success"))),
    "a call of nothing": Odd(
        whole(delta(content="b", function_call={"name": "", "arguments": ""}))
    ),
    "a call of nulls": Odd(
        whole(delta(content="b", tool_calls=[{"index": 0, "function": {"name": None}}]))
    ),
    "error null in words": Odd(whole(chunk(error="null"))),
    "choices a string": Odd(whole(data({"choices": "b"}))),
    "error fine": Odd(whole(chunk(error={"message": "success", "code": 0}))),
    "errors none": Odd(whole(chunk(errors=[]))),
    "base_resp fine": Odd(whole(chunk(base_resp={"status_code": 0, "status_msg": "success"}))),
    "a message beside": Odd(whole(data({"message": "queued"}), B)),
    "a heartbeat in words": Odd(whole(b"event: ping\ndata: ping\n\n", B)),
    "data twice": Odd(whole(b"data: " + B)),
    "data in capitals": Odd(whole(b"DATA: " + B.removeprefix(b"data: "))),
    "content in deep parts": Odd(whole(delta(content=[{"text": {"value": "b"}}]))),
    "data empty": Odd(whole(b"data:\n\ndata: \n\n", B)),
    "data null": Odd(whole(data(None), data({}), data([]), B)),
    "list of chunks": Odd(whole(data([{"choices": [{"delta": {"content": "b"}}]}]))),
    "blank after the end": Odd(stream(A, B, b"data: [DONE] \n\n", hold), finish="unknown"),
    "end in quotes": Odd(stream(A, B, FINISH, data("[DONE]"), hold)),
    "one line feed": Odd(stream(A.rstrip() + b"\n" + B.rstrip() + b"\n" + FINISH, DONE, end)),
    "no last line feed": Odd(stream(A, B, FINISH.rstrip(), end)),
    "CR": Odd(stream(*[one.replace(b"\n", b"\r") for one in (A, B, FINISH, DONE)], end)),
    "BOM": Odd(stream(b"\xef\xbb\xbf" + A, B, FINISH, DONE, end)),
    "BOM before each": Odd(whole(b"\xef\xbb\xbf" + B)),
    "BOM in pieces": Odd(stream(b"\xef", b"\xbb", b"\xbf" + A, B, FINISH, DONE, end)),
    "lines of JSON": Odd(stream(*[one.removeprefix(b"data: ") for one in (A, B, FINISH)], end)),
    "pretty JSON in data": Odd(
        whole(b'data: {"choices":\ndata: [{"delta":\ndata: {"content":"b"}}]}\n\n')
    ),
    "half a surrogate": Odd(whole(raw(LONE), B), text="a\ufffdb"),
    "a surrogate in two chunks": Odd(whole(raw(HIGH), raw(LOW), B), text="a🌊b"),
    "a character in two chunks": Odd(
        whole(raw(b'{"content":"\xf0\x9f"}'), raw(b'{"content":"\x8c\x8a"}'), B), text="a🌊b"
    ),
    "Latin-1": Odd(whole(raw(b'{"content":"\xe9t\xe9 "}'), B), text="a\ufffdt\ufffd b"),
    "not streamed": Odd(body(json.dumps(COMPLETION).encode()), asked=7),
    "not streamed, in lines": Odd(body(json.dumps(COMPLETION, indent=2).encode()), asked=7),
    "not streamed, 201": Odd(body(json.dumps(COMPLETION).encode(), status=201), asked=7),
    "not streamed, no finish": Odd(
        body(b'{"choices":[{"message":{"content":"ab"}}]}'), finish="unknown"
    ),
    "a refusal": Odd(
        stream(A, delta(refusal="I will not"), FINISH, end),
        text="aI will not",
        finish="content-filter",
    ),
}

# Errors, whatever they look like: what was said is kept, and so are the provider's words.
ERRORS: dict[str, Odd] = {
    "error line": Odd(stream(A, b'error: {"message": "overloaded"}\n\n', hold), "a", "overloaded"),
    "error line alone": Odd(stream(b"error: overloaded\n\n", end), "", "overloaded"),
    "event error": Odd(
        stream(A, b'event: error\ndata: {"x": 1, "msg": "overloaded"}\n\n', hold),
        "a",
        "overloaded",
    ),
    "event error in words": Odd(
        stream(A, b"event: error\ndata: overloaded\n\n", hold), "a", "overloaded"
    ),
    "event error alone": Odd(stream(A, b"event: error\n\n", hold), "a", "with an error"),
    "error object": Odd(
        stream(A, data({"error": {"message": "overloaded"}}), hold), "a", "overloaded"
    ),
    "error text": Odd(stream(A, data({"error": "overloaded"}), DONE, end), "a", "overloaded"),
    "error true": Odd(stream(A, chunk(error=True), DONE, end), "ab", "with an error"),
    "error in the choice": Odd(
        stream(A, data({"choices": [{"error": {"message": "overloaded"}}]}), hold),
        "a",
        "overloaded",
    ),
    "errors": Odd(stream(data({"errors": [{"message": "overloaded"}]}), end), "", "overloaded"),
    "object error": Odd(
        stream(A, data({"object": "error", "message": "overloaded"}), hold), "a", "overloaded"
    ),
    "type error": Odd(
        stream(A, data({"type": "error", "reason": "overloaded"}), hold), "a", "overloaded"
    ),
    "detail": Odd(stream(A, data({"detail": "overloaded"}), end), "a", "overloaded"),
    "detail list": Odd(stream(data(DETAIL), end), "", "body.model: field required"),
    "message alone": Odd(stream(data({"message": "overloaded"}), end), "", "overloaded"),
    "message and code": Odd(
        stream(A, data({"code": 429, "message": "overloaded"}), hold), "a", "overloaded"
    ),
    "error in capitals": Odd(
        stream(A, data({"Error": {"Message": "overloaded"}}), hold), "a", "overloaded"
    ),
    "success false": Odd(
        stream(A, data({"success": False, "msg": "overloaded"}), hold), "a", "overloaded"
    ),
    "status failed": Odd(
        stream(A, data({"status": "failed", "title": "overloaded"}), hold), "a", "overloaded"
    ),
    "status 500": Odd(
        stream(A, data({"status": 500, "title": "overloaded"}), DONE, end), "a", "overloaded"
    ),
    "message and then the end": Odd(
        stream(A, data({"message": "overloaded"}), DONE, end), "a", "overloaded"
    ),
    "words and then the end": Odd(stream(A, b"overloaded\n", DONE, end), "a", "overloaded"),
    "an event in words and then the end": Odd(
        stream(A, b"event: exception\ndata: overloaded\n\n", DONE, end), "a", "overloaded"
    ),
    "a page and then a cut": Odd(
        stream(A, b"<html>overloaded</html>\n", pause(0.2), Wire.reset), "a", "overloaded"
    ),
    "an error without a line feed": Odd(
        stream(A, b'data: {"error": "overloaded"}', pause(0.2), Wire.reset), "a", "overloaded"
    ),
    "half of texts alone": Odd(
        stream(*[data({"choices": [{"text": one}]}) for one in "ab"], end),
        "ab",
        "was cut before its end",
    ),
    "base_resp": Odd(
        stream(
            data(
                {"choices": None, "base_resp": {"status_code": 1004, "status_msg": "overloaded"}}
            ),
            end,
        ),
        "",
        "overloaded",
    ),
    "finish error": Odd(stream(A, B, finish("error"), DONE, end), "ab", "'error'"),
    "finish error in words": Odd(
        stream(A, finish("error", error={"message": "overloaded"}), end), "a", "overloaded"
    ),
    "finish network_error": Odd(
        stream(A, B, finish("network_error"), hold), "ab", "network_error"
    ),
    "finish, no text, then an error": Odd(
        stream(FINISH, data({"error": "overloaded"}), end), "", "overloaded"
    ),
    "raw error": Odd(body(b'{"error": {"message": "overloaded"}}'), "", "overloaded"),
    "raw error in lines": Odd(
        body(b'{\n "error": {\n  "message": "overloaded"\n }\n}\n'), "", "overloaded"
    ),
    "raw error in a list": Odd(body(b'[{"error": {"message": "overloaded"}}]'), "", "overloaded"),
    "plain text": Odd(body(b"upstream overloaded", "text/plain"), "", "upstream overloaded"),
    "a page": Odd(
        body(b"<html><head><title>overloaded</title></head></html>", "text/html"), "", "overloaded"
    ),
    "nothing": Odd(stream(end), "", "was empty"),
    "nothing but the end": Odd(stream(DONE, end), "", "was empty"),
    "a cut": Odd(stream(A, B, end), "ab", "was cut before its end"),
    "a reset": Odd(stream(A, B, pause(0.2), Wire.reset), "ab", "cut"),
    "content a number": Odd(
        stream(A, delta(content=5), B, FINISH, DONE, end), "a", "not a completion"
    ),
    "too deep": Odd(
        stream(A, data(b"[" * 100_000), B, FINISH, DONE, end), "a", "not a completion"
    ),
    "a tool": Odd(
        stream(
            A,
            delta(tool_calls=[{"index": 0, "function": {"name": "bash", "arguments": ""}}]),
            delta(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]),
            finish("tool_calls"),
            DONE,
            end,
        ),
        "a",
        "the tool 'bash'",
    ),
    "a tool without a call": Odd(stream(finish("tool_calls"), DONE, end), "", "called a tool"),
    "a tool for ever alone": Odd(
        stream(A, delta(tool_calls=[{"function": {"name": "bash"}}]), arguments),
        "a",
        "said nothing for",
    ),
    "an old tool": Odd(
        stream(delta(function_call={"name": "bash"}), finish("function_call"), end),
        "",
        "the tool 'bash'",
    ),
    "comments alone": Odd(stream(comments), "", "said nothing for"),
    "empty chunks alone": Odd(stream(A, empty_chunks), "a", "said nothing for"),
    "400 in a list": Odd(refuse(400, [{"error": {"message": "overloaded"}}]), "", "overloaded"),
    "422 of FastAPI": Odd(refuse(422, DETAIL), "", "body.model: field required"),
    "400 errors": Odd(
        refuse(400, {"errors": [{"message": "overloaded"}, {"message": "more"}]}),
        "",
        "overloaded; more",
    ),
    "400 errors by field": Odd(
        refuse(400, {"errors": {"model": ["overloaded"]}}), "", "model: overloaded"
    ),
    "400 in plain text": Odd(body(b"overloaded\n", "text/plain", 400), "", "overloaded"),
    "400 in events": Odd(
        body(data({"error": {"message": "overloaded"}}), "text/event-stream", 400),
        "",
        "overloaded",
    ),
    "400 in events with an end": Odd(
        body(data({"error": "overloaded"}) + DONE, "text/event-stream", 400), "", "overloaded"
    ),
    "400 behind a host": Odd(
        refuse(
            400,
            {
                "error": {
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"error": {"message": "overloaded"}}'},
                }
            },
        ),
        "",
        "Provider returned error; overloaded",
    ),
    "400 that breaks off": Odd(
        lambda wire: (wire.begin(status=400), wire.send(b'{"error": "over'))[0], "", "over"
    ),
    "308": Odd(refuse(308, {}), "", "answered 308"),
}

# Models that refuse what others take; in a session of their own these answer.
STRICT: dict[str, Odd] = {
    "no neighbours": Odd(unless(_alternates, refuse(400, "roles must alternate")), asked=7),
    "no images": Odd(
        unless(lambda request: not _has_image(request), refuse(400, "no pictures here")), asked=7
    ),
    "no options": Odd(
        unless(lambda request: "stream_options" not in request, refuse(422, NO_OPTIONS)), asked=7
    ),
    "no unknown fields": Odd(
        unless(
            lambda request: "stream_options" not in request,
            body(b"extra fields not permitted", "text/plain", 400),
        ),
        asked=7,
    ),
    "no options, in the answer": Odd(
        unless(
            lambda request: "stream_options" not in request,
            stream(data({"error": {"message": "unknown field stream_options"}}), end),
        ),
        asked=7,
    ),
}


def recite(wire: Wire) -> None:
    """Answer with the messages that the model gets."""
    said = [f"{one['role']}: {one['content']}" for one in wire.request["messages"]]
    stream(delta(content="\n".join(said)), FINISH, DONE, end)(wire)


ODD = {"recites": Odd(recite)} | ENDS | HARMLESS | ERRORS | STRICT
