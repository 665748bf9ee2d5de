"""What a provider reads of earlier calls if a request offers no tools."""

from typing import Any

import msgspec
import pytest

from processor.engines.anthropic import MessagesApi
from processor.engines.dialect import TOOLS, ChatCompletions
from processor.engines.engine import ChatMessage, EngineRequest, ToolOffer

CALLS = [
    {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": "{}"}}
    for name in ("look", "jump")
]
MESSAGES = [
    ChatMessage("user", "go"),
    ChatMessage("assistant", "hm", tool_calls=CALLS),
    ChatMessage("tool", "a.txt", tool_call_id="call_look"),
    ChatMessage("tool", "no", tool_call_id="call_jump"),
    ChatMessage("user", [{"type": "image_url", "image_url": {"url": "https://a.example/b"}}]),
    ChatMessage("user", "sum up"),
]
OFFER = ToolOffer("look", "looks", {"type": "object"})
DIALECTS = [ChatCompletions(), MessagesApi(100, 0)]


def sent(dialect: Any, *tools: ToolOffer, without: frozenset[str] = frozenset()) -> Any:
    body = dialect.body(EngineRequest("m", MESSAGES, tools), without)
    return msgspec.json.decode(msgspec.json.encode(body))


def body(dialect: Any, *tools: ToolOffer, without: frozenset[str] = frozenset()) -> str:
    return str(sent(dialect, *tools, without=without))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_without_tools_calls_and_results_are_text(dialect: Any) -> None:
    found = body(dialect)
    for word in ("tool_call", "tool_use", "tool_result", "'tool'", "tools"):
        assert word not in found
    words = ["[a call of the tool look] {}", "[a call of the tool jump] {}"]
    words += ["[the result of the tool look]\\na.txt", "[the result of the tool jump]\\nno"]
    places = [found.index(one) for one in [*words, "https://a.example/b", "sum up"]]
    assert places == sorted(places)
    assert [one["role"] for one in sent(dialect)["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_with_tools_calls_stay_calls(dialect: Any) -> None:
    assert "[a call of" not in body(dialect, OFFER)
    assert "call_jump" in body(dialect, OFFER)


def test_a_model_that_refuses_tools_reads_text() -> None:
    found = body(ChatCompletions(), OFFER, without=frozenset([TOOLS]))
    assert "tool_call" not in found
    assert "[a call of the tool look] {}" in found
