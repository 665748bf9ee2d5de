"""Models that misbehave: what was said is kept, an error stays an error, and no session is stuck.

All of them are asked at once, each in a session of its own; each test looks at what came of one.
"""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from tests.blackbox.native import HERE, messages_of
from tests.blackbox.weir_up import Up, prompt, said, weir_up
from tests.fakes.odd import ENDS, ERRORS, ODD
from tests.fakes.process import Provider
from tests.processes import wait_until

SILENCE_S = 6
SOON_S = 10
"""Of an answer that is whole after a second, on a machine that has other things to do."""


class Played(NamedTuple):
    """A turn, how long it took (s), and how long the session's next turn took."""

    session: str
    answer: dict[str, Any]
    took_s: float
    next: dict[str, Any]
    next_took_s: float


@pytest.fixture(scope="module")
def up(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    flags = ["--workers", "1", "--model-url", provider.url, "--model", "m1"]
    flags += ["--model-read-timeout", str(SILENCE_S), "--model-retries", "0"]
    with weir_up(tmp_path_factory.mktemp("odd"), *flags) as running:
        yield running


@pytest.fixture(scope="module")
def played(up: Up) -> Iterator[dict[str, "Future[Played]"]]:
    up.session(HERE)
    with ThreadPoolExecutor(len(ODD)) as threads:
        yield {name: threads.submit(play, up, name) for name in ODD}


def ask(up: Up, session: str, text: str, model: str) -> tuple[dict[str, Any], float]:
    began = time.monotonic()
    body = prompt(text, model={"providerID": "openai-compatible", "modelID": model})
    reply = up.patiently("POST", f"/session/{session}/message", body, timeout_s=60)
    assert reply.status == 200, reply
    return reply.body, time.monotonic() - began


def play(up: Up, name: str) -> Played:
    session = up.session(HERE)
    return Played(session, *ask(up, session, "go", name), *ask(up, session, "after it", "m1"))


@pytest.mark.parametrize("name", ODD)
def test_what_comes_of_a_model_that_misbehaves(up: Up, played: Any, name: str) -> None:
    odd, turn = ODD[name], played[name].result(60)
    info = turn.answer["info"]
    assert said(turn.answer) == odd.text
    assert said(turn.answer, "reasoning") == odd.thought
    if odd.error is None:
        assert "error" not in info
        assert info["finish"] == odd.finish
    else:
        assert odd.error in info["error"]["data"]["message"]
        assert "finish" not in info
    # A prompt without an answer, and the prompt after it, are one message to the model.
    assert said(turn.next) == ("after it" if odd.text else "go\n\nafter it")
    wait_until(lambda: tokens_of(up, turn) == odd.asked, what="the tokens")


def tokens_of(up: Up, turn: Played) -> int:
    """Return the tokens of the prompt as they are stored, the same in all places."""
    _, answer, *_ = messages_of(up, turn.session)
    [stored] = [part["tokens"] for part in answer["parts"] if part["type"] == "step-finish"] or [
        answer["info"]["tokens"]
    ]
    session = up.call("GET", f"/session/{turn.session}").body["tokens"]
    used = turn.next["info"]["tokens"]["input"]
    found = {stored["input"], answer["info"]["tokens"]["input"], session["input"] - used}
    return found.pop() if len(found) == 1 else -1


@pytest.mark.parametrize("name", ENDS)
def test_a_whole_answer_ends_its_turn_whatever_the_connection_does(played: Any, name: str) -> None:
    turn = played[name].result(60)
    assert turn.took_s < SOON_S
    assert turn.next_took_s < SOON_S


@pytest.mark.parametrize("name", [name for name in ERRORS if "alone" not in name])
def test_an_error_ends_its_turn_at_once(played: Any, name: str) -> None:
    assert played[name].result(60).took_s < SOON_S
