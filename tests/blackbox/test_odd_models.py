"""Models that misbehave: what was said is kept, errors stay errors, and no session is stuck."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.acp_editor import agent
from tests.blackbox.native import HERE, messages_of, stream_of
from tests.blackbox.weir_up import Up, prompt, said, weir_up
from tests.fakes.http_upstream import Talk, http_upstream
from tests.fakes.odd import ENDS, ERRORS, HARMLESS, STRICT
from tests.fakes.odd_wire import DONE, FINISH, A, B, Odd
from tests.fakes.process import Provider
from tests.processes import DEADLINE_S, wait_until
from tests.reference import fold

SILENCE_S = 6
AT_ONCE = 16
TRIES = 5
"""How often a model is asked at most: a busy machine may be late with an answer, not each time."""
TABLES = {"ends": ENDS, "harmless": HARMLESS, "errors": ERRORS, "strict": STRICT}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADU"
    "lEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


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
    flags += ["--model-read-timeout", str(SILENCE_S), "--model-retries", "0", "--tools", "off"]
    with weir_up(tmp_path_factory.mktemp("odd"), *flags) as running:
        running.session(HERE)
        yield running


def ask(
    up: Up, session: str, model: str, text: str, *parts: dict[str, Any]
) -> tuple[dict[str, Any], float]:
    began = time.monotonic()
    body = prompt(text, model={"providerID": "openai-compatible", "modelID": model})
    body["parts"] += parts
    reply = up.call("POST", f"/session/{session}/message", body, timeout_s=DEADLINE_S)
    assert reply.status == 200, reply
    return reply.body, time.monotonic() - began


def play(up: Up, name: str) -> Played:
    session = up.session(HERE)
    return Played(session, *ask(up, session, name, "go"), *ask(up, session, "m1", "after it"))


def judge(up: Up, odd: Odd, turn: Played, soon: bool) -> None:
    """Check what came of a model that misbehaves."""
    info = turn.answer["info"]
    assert said(turn.answer) == odd.text, str(info.get("error", info))
    assert said(turn.answer, "reasoning") == odd.thought
    if odd.error is None:
        assert "error" not in info
        assert info["finish"] == odd.finish
    else:
        assert odd.error in info["error"]["data"]["message"]
        assert "finish" not in info
    assert in_time(turn, soon)
    # A prompt without an answer, and the prompt after it, are one message to the model.
    assert said(turn.next) == ("after it" if odd.text else "go\n\nafter it")
    wait_until(lambda: tokens_of(up, turn) == odd.asked, what="the tokens")


def in_time(turn: Played, soon: bool) -> bool:
    """Tell whether no turn has waited for a silent model, but the first if that is not `soon`."""
    return turn.next_took_s < SILENCE_S and (turn.took_s < SILENCE_S or not soon)


def tokens_of(up: Up, turn: Played) -> int:
    """Return the tokens of the prompt as they are stored, the same in all places; else -1."""
    _, answer, *_ = messages_of(up, turn.session)
    steps = [part["tokens"] for part in answer["parts"] if part["type"] == "step-finish"]
    session = up.call("GET", f"/session/{turn.session}").body["tokens"]
    others = session["input"] - turn.next["info"]["tokens"]["input"]
    found = {others, *[one["input"] for one in [*steps, answer["info"]["tokens"]]]}
    return found.pop() if len(found) == 1 else -1


@pytest.mark.parametrize("models", TABLES)
def test_what_comes_of_models_that_misbehave(up: Up, models: str) -> None:
    """Many of a table are asked at once."""
    table, wrong = TABLES[models], []
    with ThreadPoolExecutor(AT_ONCE) as threads:
        turns = {name: threads.submit(play, up, name) for name in table}
    for name, odd in table.items():
        turn, soon = turns[name].result(), "alone" not in name
        for _ in range(TRIES - 1):
            if in_time(turn, soon):
                break
            turn = play(up, name)
        try:
            judge(up, odd, turn, soon)
        except (AssertionError, TimeoutError) as error:
            wrong.append(f"{name}: {error}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("model", ["no options", "no unknown fields"])
def test_a_model_that_refuses_to_count_is_asked_once(
    up: Up, provider: Provider, model: str
) -> None:
    session = up.session(HERE)
    for number in range(3):
        ask(up, session, model, f"{model} {number}")
    prompts = [one["prompt"] for one in provider.requests()]
    asked = [sum(prompt.endswith(f"{model} {n}") for prompt in prompts) for n in range(3)]
    assert asked[1:] == [1, 1]


def image(url: str) -> dict[str, Any]:
    return {"type": "file", "mime": "image/png", "filename": "a.png", "url": url}


def test_a_refused_image_does_not_poison_the_session(up: Up) -> None:
    session = up.session(HERE)
    answer, _ = ask(up, session, "no images", "look", image(PIXEL))
    assert answer["info"]["error"]["data"]["message"] == "no pictures here"
    answer, _ = ask(up, session, "no images", "and now?")
    assert (said(answer), answer["info"]["finish"]) == ("ab", "stop")
    answer, _ = ask(up, session, "m1", "and you?")
    assert "refused" not in said(answer), "the image is for another model to judge"


def test_bad_images_and_files_elsewhere_are_refused_at_the_door(up: Up, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("what it holds")
    session = up.session(str(tmp_path))
    path = f"/session/{session}/message"
    for url in ("data:image/png;base64,AAAA", "file:///etc/passwd", f"file://{tmp_path}/../x"):
        for route in (path, f"/session/{session}/prompt_async"):
            reply = up.call("POST", route, {"parts": [*prompt("look")["parts"], image(url)]})
            assert reply.status == 400, reply
            assert "parts[1].url" in reply.body["data"]["message"]
    assert messages_of(up, session) == []
    here = {"type": "file", "mime": "text/plain", "url": f"file://{tmp_path}/./a.txt"}
    answer, _ = ask(up, session, "m1", "read", here)
    assert said(answer) == "read\n\na.txt:\nwhat it holds"


def test_two_prompts_in_a_row_are_no_reason_to_refuse(up: Up) -> None:
    """After an abort before the first word, a failure, thoughts alone, and no reply wanted."""
    session = up.session(HERE)
    path = f"/session/{session}/message"
    assert up.call("POST", path, prompt("for later", noReply=True)).status == 200
    ask(up, session, "error text", "x")
    assert up.call("POST", f"/session/{session}/prompt_async", prompt("silent")).status == 204
    wait_until(lambda: len(messages_of(up, session)) == 5, what="the turn")
    assert up.call("POST", f"/session/{session}/abort").status == 200
    answer, _ = ask(up, session, "no neighbours", "now")
    assert said(answer) == "ab", answer["info"]


def test_text_and_then_an_error_is_an_error_to_an_editor(
    provider: Provider, tmp_path: Path
) -> None:
    flags = ["--workers", "1", "--model-url", provider.url, "--model", "finish error in words"]
    with weir_up(tmp_path, *flags) as running:
        running.patiently("GET", "/path")
        with agent(running.url) as editor:
            session = editor.start()
            answer = editor.answer(editor.prompt(session, "go"))
            assert editor.said(session) == "a"
    assert "overloaded" in answer["error"]["message"]


def _closes_under_the_second(talk: Talk) -> None:
    length = int(re.search(rb"Content-Length: (\d+)", talk.head())[1])
    talk.read(length)
    talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for data in (A, B, FINISH, DONE, b""):
        talk.say(b"%x\r\n%b\r\n" % (len(data), data))
    talk.head()
    talk.reset()


def test_a_kept_connection_that_is_closed_costs_no_answer(tmp_path: Path) -> None:
    flags = ["--workers", "1", "--model", "m1", "--model-retries", "0"]
    with http_upstream(_closes_under_the_second) as provider:
        with weir_up(tmp_path, *flags, "--model-url", provider.url) as running:
            session = running.session(HERE)
            assert [said(running.prompt(session, "go")) for _ in range(3)] == ["ab"] * 3
        assert provider.connections == 3


def test_late_tokens_are_told_to_readers_after_the_end(up: Up) -> None:
    session = up.session(HERE)
    with stream_of(up, HERE) as stream:
        ask(up, session, "tokens late", "go")
        counted = stream.until(
            lambda event: (
                event["type"] == "session.updated"
                and event["properties"]["sessionID"] == session
                and event["properties"]["info"]["tokens"]["input"] == 7
            )
        )
    mine = [one for one in counted if one["properties"].get("sessionID") == session]
    types = [one["type"] for one in mine]
    told = types[types.index("session.idle") + 1 :]
    assert [one for one in told if one != "session.updated"] == [
        "message.part.updated",
        "message.updated",
    ]
    assert fold(counted).messages_of(session) == messages_of(up, session)
