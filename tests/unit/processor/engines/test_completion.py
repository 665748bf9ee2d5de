import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events.part import CacheTokens, TokenCounts
from processor.engines.completion import BadStream, CompletionReader
from processor.engines.engine import Chunk, Finish, ReasoningPiece, Text, TokenUsage


def data(body: Any) -> bytes:
    return b"data: " + (body if isinstance(body, bytes) else json.dumps(body).encode()) + b"\n\n"


def delta(finish: str | None = None, **fields: Any) -> bytes:
    return data({"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]})


STREAM = b"".join(
    [
        delta(role="assistant", content=""),
        delta(reasoning_content="hm ☂ "),
        b": keep-alive\n\n",
        delta(content="Grüße "),
        delta(content="🌊"),
        delta("length"),
        data({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}),
        data(b"[DONE]"),
    ]
)
SAID: list[Chunk] = [
    ReasoningPiece("hm ☂ "),
    Text("Grüße "),
    Text("🌊"),
    TokenUsage(TokenCounts(input=3, output=4, reasoning=0, cache=CacheTokens(), total=7)),
]


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=12))
def test_a_stream_reads_the_same_however_it_is_cut_up(cuts: list[int]) -> None:
    reader = CompletionReader()
    edges = [0, *sorted(cuts), len(STREAM)]
    said = [c for a, b in itertools.pairwise(edges) for c in reader.feed(STREAM[a:b])]
    assert said == SAID
    assert reader.done
    assert reader.end() == [Finish("length")]


def test_one_read_may_hold_many_chunks() -> None:
    assert len(CompletionReader().feed(delta(content="x") * 300)) == 300


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool-calls"),
        ("content_filter", "content-filter"),
        ("eos", "unknown"),
    ],
)
def test_reasons_are_told_in_opencodes_words(reason: str, word: str) -> None:
    reader = CompletionReader()
    reader.feed(delta(content="a") + delta(reason))
    assert reader.end() == [Finish(word)]


def test_done_without_a_reason_is_an_end() -> None:
    reader = CompletionReader()
    reader.feed(delta(content="a") + data(b"[DONE]"))
    assert reader.end() == [Finish("unknown")]


@pytest.mark.parametrize("stream", [b"", delta(content="a"), b"<html>not a stream</html>\n\n"])
def test_a_stream_without_an_end_is_cut(stream: bytes) -> None:
    reader = CompletionReader()
    reader.feed(stream)
    with pytest.raises(BadStream):
        reader.end()


@pytest.mark.parametrize(
    "bad",
    [b'{"choices":[{"delta":', b"[1]", b'{"choices":[{"delta":{"content":5}}]}', b"\xff\xfe"],
)
def test_what_came_before_a_bad_line_is_kept(bad: bytes) -> None:
    reader = CompletionReader()
    assert reader.feed(delta(content="a") + data(bad) + delta(content="b")) == [Text("a")]
    assert "not a completion" in str(reader.broken)


def test_an_error_in_the_stream_is_told_in_its_words() -> None:
    reader = CompletionReader()
    reader.feed(data({"error": {"message": "overloaded", "code": 502}}))
    assert "overloaded" in str(reader.broken)


def test_what_is_cached_or_thought_counts_once() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 8,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    [chunk] = CompletionReader().feed(data({"choices": [], "usage": usage}))
    assert isinstance(chunk, TokenUsage)
    assert chunk.tokens == TokenCounts(4, 3, 5, CacheTokens(read=6, write=0), 18)


def test_reasoning_is_read_under_both_names() -> None:
    assert CompletionReader().feed(delta(reasoning="a")) == [ReasoningPiece("a")]


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        ({"error": {"code": 429, "message": "slow down"}}, True),
        ({"error": {"code": "502", "message": "no host"}}, True),
        ({"status": 503, "message": "busy"}, True),
        ({"error": {"code": 400, "message": "too long"}}, False),
        ({"error": {"message": "429"}}, False),
        ({"error": "busy"}, False),
    ],
)
def test_an_error_in_an_answer_may_pass_as_a_refusal_with_its_code(
    error: dict, passes: bool
) -> None:
    reader = CompletionReader()
    reader.feed(data(json.dumps(error).encode()))
    assert reader.broken is not None
    assert reader.broken.passes is passes
