"""Anthropic's messages API, over a real socket: what is asked, and what comes back."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from bus.events.part import CacheTokens, TokenCounts
from processor.engines.engine import (
    CallBegun,
    CallWhole,
    ChatMessage,
    Chunk,
    EngineRequest,
    Finish,
    ModelError,
    ReasoningPiece,
    RedactedThought,
    RetryNotice,
    Text,
    ThoughtSignature,
    TokenUsage,
    ToolOffer,
)
from processor.engines.openai import OpenAIEngine
from processor.settings import ModelSettings

LOOK = ToolOffer("look", "looks", {"type": "object"})
START = {
    "type": "message_start",
    "message": {"usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}},
}
STOP = {"type": "message_stop"}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def events(*bodies: dict[str, Any]) -> bytes:
    lines = [f"event: {body['type']}\ndata: {json.dumps(body)}\n\n" for body in bodies]
    return "".join(lines).encode()


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": index, "delta": one} for one in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def stopped(reason: str) -> dict[str, Any]:
    usage = {"output_tokens": 9}
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


TEXT = block(0, {"type": "text", "text": ""}, *({"type": "text_delta", "text": t} for t in "ab"))
WHOLE = events(START, *TEXT, stopped("end_turn"), STOP)


class Fake(HTTPServer):
    """A provider that gives one answer after the other."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Fake

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        status, answer = self.server.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if status == 200 else "text/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def listening() -> Iterator[Fake]:
    server = Fake()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fake(listening: Fake) -> Fake:
    listening.answers.clear()
    listening.asked.clear()
    return listening


def answer(fake: Fake, *messages: ChatMessage, thinking: int = 0, **answers: Any) -> list[Chunk]:
    """Return what an engine makes of the next answers of the provider."""
    url = f"http://127.0.0.1:{fake.server_address[1]}/v1"
    settings = ModelSettings(url, "claude", "sk-1", api="anthropic", thinking=thinking)
    request = EngineRequest("claude", messages or [ChatMessage("user", "go")], [LOOK])
    return [chunk for chunks in OpenAIEngine(settings).stream(request) for chunk in chunks]


def test_an_answer_has_thoughts_text_calls_and_tokens(fake: Fake) -> None:
    thought = {"type": "thinking_delta", "thinking": "hm"}
    signed = {"type": "signature_delta", "signature": "sig"}
    pieces = [{"type": "input_json_delta", "partial_json": one} for one in ("", '{"a"', ": 1}")]
    used = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    stream = events(
        START,
        *block(0, {"type": "thinking", "thinking": ""}, thought, signed),
        *block(4, {"type": "redacted_thinking", "data": "encrypted"}),
        *block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "ab"}),
        *block(2, used, *pieces),
        *block(3, {**used, "id": "toolu_2"}),
        stopped("tool_use"),
        STOP,
    )
    fake.answers.append((200, stream))
    tokens = TokenCounts(
        input=5, output=9, reasoning=0, cache=CacheTokens(read=7, write=0), total=21
    )
    assert answer(fake) == [
        ReasoningPiece("hm"),
        ThoughtSignature("sig"),
        RedactedThought("encrypted"),
        Text("ab"),
        CallBegun(0, "toolu_1", "look"),
        TokenUsage(tokens),
        CallBegun(1, "toolu_2", "look"),
        CallWhole(0, '{"a": 1}'),
        CallWhole(1, ""),
        Finish("tool-calls"),
    ]


def test_a_request_is_in_the_form_of_the_api(fake: Fake) -> None:
    fake.answers.append((200, WHOLE))
    thought = {"type": "thinking", "thinking": "hm", "signature": "sig"}
    redacted = {"type": "redacted_thinking", "data": "encrypted"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}
    answer(
        fake,
        ChatMessage("system", "be brief"),
        ChatMessage("user", "go"),
        ChatMessage("assistant", [thought, redacted], tool_calls=[call, {**call, "id": "c2"}]),
        ChatMessage("tool", "found", tool_call_id="c1"),
        ChatMessage("tool", "", tool_call_id="c2"),
        ChatMessage("user", [{"type": "text", "text": "what was read"}, image]),
        thinking=2000,
    )
    [(path, headers, body)] = fake.asked
    assert path == "/v1/messages"
    assert (headers["x-api-key"], headers["anthropic-version"]) == ("sk-1", "2023-06-01")
    cached = {"cache_control": {"type": "ephemeral"}}
    assert body["system"] == [{"type": "text", "text": "be brief", **cached}]
    assert body["tools"] == [
        {"name": "look", "description": "looks", "input_schema": {"type": "object"}}
    ]
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    used = {"type": "tool_use", "name": "look", "input": {"a": 1}}
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "go"}]},
        {
            "role": "assistant",
            "content": [thought, redacted, {**used, "id": "c1"}, {**used, "id": "c2"}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "found"},
                {"type": "tool_result", "tool_use_id": "c2"},
                {"type": "text", "text": "what was read"},
                {"type": "image", "source": source, **cached},
            ],
        },
    ]


@pytest.mark.parametrize(
    "first",
    [(529, json.dumps(OVERLOADED).encode()), (200, events(OVERLOADED)), (500, b"oops")],
    ids=["529", "an event", "500"],
)
def test_an_error_that_may_pass_is_tried_again(fake: Fake, first: tuple[int, bytes]) -> None:
    fake.answers += [first, (200, WHOLE)]
    said = answer(fake)
    assert isinstance(said[0], RetryNotice)
    assert said[1:3] == [Text("a"), Text("b")]
    assert said[-1] == Finish("stop")


@pytest.mark.parametrize(
    ("status", "error", "name", "words"),
    [
        (401, "authentication_error", "ProviderAuthError", "no such key"),
        (400, "invalid_request_error", "ContextOverflowError", "prompt is too long: 9 > 8"),
        (404, "not_found_error", "APIError", "model: claude"),
    ],
)
def test_a_refusal_is_an_error_in_words(
    fake: Fake, status: int, error: str, name: str, words: str
) -> None:
    body = {"type": "error", "error": {"type": error, "message": words}}
    fake.answers.append((status, json.dumps(body).encode()))
    with pytest.raises(ModelError, match=words) as failed:
        answer(fake)
    assert failed.value.failure.name == name


def test_a_model_with_shorter_answers_gets_as_many_tokens_as_it_allows(fake: Fake) -> None:
    words = "max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens"
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": words}}
    fake.answers += [(400, json.dumps(error).encode()), (200, WHOLE)]
    assert answer(fake)[-1] == Finish("stop")
    assert [body["max_tokens"] for _, _, body in fake.asked] == [32000, 8192]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("end_turn", "stop"), ("max_tokens", "length"), ("refusal", "content-filter")],
)
def test_a_reason_is_one_of_opencode(fake: Fake, reason: str, finish: str) -> None:
    fake.answers.append((200, events(START, *TEXT, stopped(reason), STOP)))
    assert answer(fake)[-1] == Finish(finish)


def test_an_answer_that_is_cut_is_an_error(fake: Fake) -> None:
    fake.answers.append((200, events(START, *TEXT)))
    with pytest.raises(ModelError, match="was cut before its end"):
        answer(fake)


def test_an_error_in_the_middle_ends_the_answer(fake: Fake) -> None:
    fake.answers.append((200, events(START, *TEXT, OVERLOADED)))
    with pytest.raises(ModelError, match="Overloaded"):
        answer(fake)
