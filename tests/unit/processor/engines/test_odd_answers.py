"""Answers of models that misbehave, read in pieces of any size."""

import contextlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor.engines.completion import BadStream, CompletionReader
from processor.engines.engine import Chunk, Finish, ReasoningPiece, Text
from tests.fakes.odd import ERRORS, HARMLESS
from tests.fakes.odd_wire import DONE, FINISH, A, delta, raw


class Tape:
    """Takes the place of a connection, and keeps what is sent of a stream."""

    def __init__(self) -> None:
        self.sent = b""
        self.is_stream = False
        self.request: dict[str, Any] = {}

    def begin(self, kind: str = "text/event-stream", status: int = 200) -> None:
        self.is_stream = status == 200

    def send(self, data: bytes) -> None:
        self.sent += data

    def json(self, status: int, body: Any) -> None:
        """A refusal is no stream."""

    def pause(self, seconds: float | None = None) -> None:
        if seconds is None or len(self.sent) > 1000:
            raise EOFError

    def reset(self) -> None:
        raise EOFError

    @property
    def _handler(self) -> Any:
        raise EOFError


def recorded() -> dict[str, bytes]:
    """Return the bytes of every odd stream, up to where it ends or would wait for ever."""
    found = {}
    for name, odd in (HARMLESS | ERRORS).items():
        tape = Tape()
        with contextlib.suppress(EOFError):
            odd.play(tape)  # type: ignore[arg-type]
        if tape.is_stream:
            found[name] = tape.sent
    return found


STREAMS = recorded()
SHORT = [name for name, stream in STREAMS.items() if len(stream) < 5000]


def read(pieces: list[bytes]) -> tuple[str, str, str]:
    """Return text, thoughts, and the finish or the error of an answer."""
    reader = CompletionReader()
    said: list[Chunk] = []
    for piece in pieces:
        said += reader.feed(piece)
    said += reader.close()
    text = "".join(one.text for one in said if isinstance(one, Text))
    thought = "".join(one.text for one in said if isinstance(one, ReasoningPiece))
    if reader.broken is not None:
        return text, thought, str(reader.broken)
    try:
        [finish] = reader.end()
        assert isinstance(finish, Finish)
        return text, thought, finish.reason
    except BadStream as error:
        return text, thought, str(error)


@pytest.mark.parametrize("name", STREAMS)
def test_an_odd_answer_is_read(name: str) -> None:
    odd = (HARMLESS | ERRORS)[name]
    text, thought, end = read([STREAMS[name]])
    assert (text, thought) == (odd.text, odd.thought)
    if odd.error is None:
        assert end == odd.finish
    elif "said nothing" not in odd.error and name != "a reset":
        assert odd.error in end


@given(st.sampled_from(SHORT), st.lists(st.integers(0, 5000), max_size=8))
def test_an_odd_answer_reads_the_same_however_it_is_cut_up(name: str, cuts: list[int]) -> None:
    stream = STREAMS[name]
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert read(pieces) == read([stream]) == read([bytes([byte]) for byte in stream])


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_raise_anything_but_a_bad_stream(stream: bytes, cut: int) -> None:
    for start in (b"", b"data: ", b"data: {", A, A + FINISH):
        read([start + stream[:cut], stream[cut:]])


KEYS = [
    "choices",
    "delta",
    "message",
    "content",
    "text",
    "reasoning",
    "finish_reason",
    "usage",
    "error",
    "errors",
    "detail",
    "tool_calls",
    "function",
    "refusal",
    "code",
    "metadata",
    "raw",
    "base_resp",
    "x_groq",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_chunk_of_an_odd_shape_raises_anything_but_a_bad_stream(body: Any) -> None:
    text, _, _ = read([A + b"data: " + json.dumps(body).encode() + b"\n\n" + FINISH + DONE])
    assert text.startswith("a")


PLAIN = st.characters(exclude_characters='"\\', exclude_categories=["Cc", "Cs"])


@given(st.text(max_size=40), st.lists(st.integers(0, 200), max_size=6))
def test_a_text_that_is_cut_inside_characters_is_put_together(text: str, cuts: list[int]) -> None:
    whole = text.encode("utf-16-le", "surrogatepass")
    units = [whole[i : i + 2] for i in range(0, len(whole), 2)]
    edges = [0, *sorted(cut % (len(units) + 1) for cut in cuts), len(units)]
    escaped = [
        b"".join(b"\\u%04x" % int.from_bytes(unit, "little") for unit in units[a:b])
        for a, b in itertools.pairwise(edges)
    ]
    stream = b"".join(raw(b'{"content":"%b"}' % piece) for piece in escaped)
    assert read([stream + FINISH])[0] == text


@given(st.text(PLAIN), st.data())
def test_a_text_that_is_cut_inside_bytes_is_put_together(text: str, data: st.DataObject) -> None:
    whole = text.encode()
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=6))
    edges = [0, *sorted(cuts), len(whole)]
    stream = b"".join(raw(b'{"content":"%b"}' % whole[a:b]) for a, b in itertools.pairwise(edges))
    assert read([stream + FINISH])[0] == text


@pytest.mark.parametrize("piece", ["x" * 400, "ü" * 200, "x" * 5000])
def test_an_answer_past_its_bound_is_broken_off_there_and_the_bound_is_named(piece: str) -> None:
    reader = CompletionReader(1024)
    said = [one for _ in range(4) for one in reader.feed(delta(content=piece))]
    assert len("".join(one.text for one in said if isinstance(one, Text)).encode()) == 1024
    assert "MiB (--model-answer-limit)" in str(reader.broken)


def test_thoughts_count_towards_the_bound() -> None:
    reader = CompletionReader(10)
    reader.feed(delta(reasoning="x" * 8))
    assert reader.feed(delta(content="y" * 8)) == [Text("yy")]
    assert reader.broken is not None


def test_an_answer_that_just_fits_its_bound_is_whole() -> None:
    reader = CompletionReader(10)
    reader.feed(delta(content="x" * 10) + FINISH)
    assert reader.broken is None
    assert reader.end() == [Finish("stop")]


def test_a_flood_of_short_lines_outside_of_events_is_bounded() -> None:
    reader = CompletionReader()
    for _ in range(30):
        reader.feed(b"x\n" * 10_000)
    assert "larger than" in str(reader.broken)
