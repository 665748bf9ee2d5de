import time

import pytest

from processor.engines.demo import DemoEngine
from processor.engines.engine import (
    ChatMessage,
    Chunk,
    EngineRequest,
    Finish,
    ReasoningPiece,
    Text,
)
from tests.processes import at_best


def answer(prompt: str) -> list[Chunk]:
    request = EngineRequest("demo", [ChatMessage("user", prompt)])
    return [chunk for chunks in DemoEngine().stream(request) for chunk in chunks]


def texts(chunks: list[Chunk]) -> list[str]:
    return [chunk.text for chunk in chunks if isinstance(chunk, Text)]


def test_a_storm_has_its_number_and_size() -> None:
    said = texts(answer("storm 1000 40"))
    assert len(said) == 1000
    assert {len(text) for text in said} == {40}
    assert said[17].startswith("0000017|")


@pytest.mark.parametrize("size", [1, 5, 9, 10])
def test_a_small_storm_keeps_its_size(size: int) -> None:
    assert {len(text) for text in texts(answer(f"storm 3 {size}"))} == {size}


def test_texts_at_a_rate_hold_their_number_and_the_time() -> None:
    before = time.time_ns()
    said = texts(answer("rate 1000 3"))
    assert {len(text) for text in said} == {40}
    assert [text.split("|")[0] for text in said] == ["0000000", "0000001", "0000002"]
    made = [int(text.split("|")[1]) for text in said]
    assert [before, *made] == sorted([before, *made])


def test_a_rate_is_kept() -> None:
    def took_s() -> float:
        start = time.monotonic()
        assert len(texts(answer("rate 200 40"))) == 40
        return time.monotonic() - start

    assert 0.19 < at_best(took_s, 1) < 1


@pytest.mark.parametrize("prompt", ["storm 0 1", "storm 999999999 1", "storm 9 0", "rate 0 5"])
def test_what_is_too_much_is_refused_in_words(prompt: str) -> None:
    [words] = texts(answer(prompt))
    assert "takes an" in words


def test_any_other_prompt_is_thought_about_and_repeated() -> None:
    said = answer("hello  there,\nyou")
    assert any(isinstance(chunk, ReasoningPiece) for chunk in said)
    assert "".join(texts(said)).startswith("You said: hello  there,\nyou\n\n")
    assert said[-1] == Finish("stop")
    assert said == answer("hello  there,\nyou")
