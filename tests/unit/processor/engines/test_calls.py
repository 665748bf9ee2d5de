"""The pieces of tool calls, in the spelling of any provider."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.engines.completion import BadStream, CompletionReader
from processor.engines.engine import CallBegun, CallWhole, Chunk, Finish, Text

FIRST, SECOND = json.dumps({"command": "ls 🌊"}), json.dumps({"a": {"b": [1, 2]}})


def data(delta: Any, finish: str | None = None) -> bytes:
    body = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def piece(name: str = "", text: str = "", **fields: Any) -> dict[str, Any]:
    return {**fields, "function": {"name": name, "arguments": text}}


OTHER = piece("b", SECOND, index=1)


def read(*deltas: Any, end: bytes = data({}, "tool_calls") + b"data: [DONE]\n\n") -> list[Chunk]:
    """Return what comes of pieces of calls."""
    reader = CompletionReader(tools=True)
    stream = b"".join(data({"tool_calls": [one]}) for one in deltas) + end
    return [*reader.feed(stream), *reader.close(), *reader.end()]


def found(chunks: list[Chunk]) -> list[tuple[str, str]]:
    """Return the name and the arguments of each call."""
    names = {one.number: one.tool for one in chunks if isinstance(one, CallBegun)}
    whole = {one.number: one.arguments for one in chunks if isinstance(one, CallWhole)}
    assert names.keys() == whole.keys()
    return [(names[number], whole[number]) for number in sorted(names)]


def cut(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(one % (len(text) + 1) for one in cuts), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


@given(st.lists(st.integers(0, 60), max_size=6), st.lists(st.integers(0, 60), max_size=6))
def test_arguments_cut_anywhere_give_the_same_calls(one: list[int], two: list[int]) -> None:
    pieces = [piece("bash", index=0, id="call_1"), piece("read", index=1, id="call_2")]
    pieces += [piece(text=text, index=0) for text in cut(FIRST, one)]
    pieces += [piece(text=text, index=1) for text in cut(SECOND, two)]
    assert found(read(*pieces)) == [("bash", FIRST), ("read", SECOND)]


@given(st.lists(st.integers(1, 900), max_size=12))
def test_a_stream_of_calls_reads_the_same_however_it_is_cut_up(cuts: list[int]) -> None:
    stream = data({"content": "hm"}) + data({"tool_calls": [piece("bash", FIRST, index=0)]})
    stream += data({"tool_calls": [piece("read", SECOND, index=1)]}) + data({}, "tool_calls")
    reader = CompletionReader(tools=True)
    edges = [0, *sorted(one % len(stream) for one in cuts), len(stream)]
    said = [c for a, b in itertools.pairwise(edges) for c in reader.feed(stream[a:b])]
    said += reader.end()
    assert said[0] == Text("hm")
    assert found(said) == [("bash", FIRST), ("read", SECOND)]
    assert said[-1] == Finish("tool-calls")


@pytest.mark.parametrize(
    "pieces",
    [
        [piece("a", FIRST, index=0, id="x"), piece("b", SECOND, index=0, id="y")],
        [piece("a", FIRST, index=0), piece("b", SECOND, index=0)],
        [piece("a", FIRST, id="x"), piece("b", SECOND, id="y")],
        [piece("a", FIRST), piece("b", SECOND)],
        [piece("a", id="x"), piece(text=FIRST), piece("b", id="y"), piece(text=SECOND)],
        [piece("a", FIRST[:5], id="x"), piece("b", SECOND, id="y"), piece(text=FIRST[5:], id="x")],
        [
            piece(text=FIRST[:5], index=0),
            piece("a", FIRST[5:], index=0),
            piece("b", SECOND, index=1),
        ],
        [
            piece("a", FIRST[:5], index=0),
            piece("a", FIRST[5:], index=0),
            piece("b", SECOND, index=1),
        ],
        [piece("a", FIRST, index=5), piece("b", SECOND, index=3)],
        [piece("a", FIRST, index=0), {"index": 1, "name": "b", "arguments": json.loads(SECOND)}],
    ],
    ids=str,
)
def test_calls_in_the_spelling_of_any_provider(pieces: list[dict[str, Any]]) -> None:
    calls = [(name, json.loads(text)) for name, text in found(read(*pieces))]
    assert calls == [("a", json.loads(FIRST)), ("b", json.loads(SECOND))]


def test_a_name_may_come_in_pieces_before_the_arguments() -> None:
    pieces = [piece("todo", index=0), piece("write", index=0), piece(text="{}", index=0)]
    assert found(read(*pieces)) == [("todowrite", "{}")]


def test_a_call_is_announced_when_its_name_is_known() -> None:
    reader = CompletionReader(tools=True)
    assert reader.feed(data({"tool_calls": [piece("bash", index=0, id="c")]})) == []
    said = reader.feed(data({"tool_calls": [piece(text="{", index=0)]}))
    assert said == [CallBegun(0, "c", "bash")]


@pytest.mark.parametrize("reason", ["stop", "length", "unknown of old"])
def test_calls_count_whatever_the_finish_reason_says(reason: str) -> None:
    said = read(piece("a", FIRST, index=0), end=data({}, reason))
    assert (found(said), said[-1]) == ([("a", FIRST)], Finish("tool-calls"))


@pytest.mark.parametrize("end", [b"data: [DONE]\n\n", b""])
def test_whole_calls_need_no_finish_reason(end: bytes) -> None:
    assert found(read(piece("a", FIRST, index=0), end=end)) == [("a", FIRST)]


def test_calls_that_are_cut_are_no_calls() -> None:
    with pytest.raises(BadStream, match="was cut before its end"):
        read(piece("a", FIRST[:5], index=0), end=b"")


def test_a_message_that_is_not_streamed_may_hold_calls() -> None:
    message = {"content": None, "tool_calls": [piece("a", FIRST), piece("b", SECOND)]}
    body = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
    reader = CompletionReader(tools=True)
    said = [*reader.feed(json.dumps(body).encode()), *reader.close(), *reader.end()]
    assert found(said) == [("a", FIRST), ("b", SECOND)]


def test_too_many_calls_break_the_answer() -> None:
    reader = CompletionReader(tools=True)
    reader.feed(b"".join(data({"tool_calls": [piece("a", "{}", index=n)]}) for n in range(200)))
    assert "more than 128 tools" in str(reader.broken)


def test_long_arguments_end_at_the_limit_of_an_answer() -> None:
    reader = CompletionReader(100, tools=True)
    for _ in range(20):
        reader.feed(data({"tool_calls": [piece("a", "x" * 20, index=0)]}))
    assert "--model-answer-limit" in str(reader.broken)
