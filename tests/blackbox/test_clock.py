"""The clock goes back: order is order of arrival all the same, in a run and across restarts."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.bodies import ModelInput
from bus.commands import MessageList, SessionList
from tests.blackbox.processor_driver import DIRECTORY, Processor, processor
from tests.fakes.process import Provider
from tests.processes import ROOT

HOUR_S = 3600
RECITES = ModelInput("openai-compatible", "recites")


@pytest.fixture
def moved(provider: Provider, tmp_path: Path) -> Any:
    """A processor, and what moves its clock."""
    file = tmp_path / "clock"
    file.write_text("0")
    flags = ["--model-url", provider.url, "--model", "m1"]
    path = f"{ROOT}/tests/fakes/clock:{ROOT}"
    with processor(tmp_path, *flags, PYTHONPATH=path, MOVED_CLOCK=str(file)) as running:
        yield running, lambda by_s: replace(file, str(by_s))


def replace(file: Path, text: str) -> None:
    """Write a file at once, for a process that may read it at any moment."""
    written = file.with_suffix(".part")
    written.write_text(text)
    written.rename(file)


def ids_of(messages: list[dict[str, Any]]) -> list[str]:
    return [part["id"] for message in messages for part in message["parts"]]


@pytest.mark.parametrize("restart", [False, True])
def test_order_is_order_of_arrival_whatever_the_clock_says(
    moved: tuple[Processor, Callable[[int], object]], restart: bool
) -> None:
    running, move = moved
    session, other = running.session(), running.session()
    for text in ("one", "two"):
        running.turn(session, text)
    for by_s in (-HOUR_S, -300 * 24 * HOUR_S):
        move(by_s)
        if restart:
            running.kill()
            running.start()
        running.turn(session, f"at {by_s}")
    newest = running.session()
    asked = running.prompt(session, "last", model=RECITES)
    answer = running.wait(session, asked)

    wanted = ["one", "two", f"at {-HOUR_S}", f"at {-300 * 24 * HOUR_S}"]
    told = "\n".join(f"user: {text}\nassistant: {text}" for text in wanted) + "\nuser: last"
    said = answer["parts"][1]["text"]
    assert said.partition("\n")[0].startswith("system: ")
    assert "user: " + said.partition("\nuser: ")[2] == told
    messages = running.messages(session)
    texts = [part["text"] for one in messages for part in one["parts"] if part["type"] == "text"]
    assert texts == [text for text in wanted for _ in range(2)] + ["last", said]
    made = [message["info"]["id"] for message in messages]
    assert made == sorted(made)
    assert ids_of(messages) == sorted(ids_of(messages))
    assert other > newest

    listed = [one["id"] for one in running.ask(SessionList(DIRECTORY))]
    assert listed == [session, newest, other]
    pages, cursor = [], None
    while cursor is not None or not pages:
        done = running.done(MessageList(session, limit=3, before=cursor))
        pages = [*(one["info"]["id"] for one in msgspec.json.decode(done.body)), *pages]
        cursor = done.cursor
    assert pages == made
    for message in messages:
        time = message["info"]["time"]
        assert time.get("completed", time["created"]) >= time["created"]


def test_what_came_after_the_clock_went_back_is_told_again_after_a_kill(
    moved: tuple[Processor, Callable[[int], object]],
) -> None:
    running, move = moved
    for _ in range(3):
        running.turn(running.session(), "before")
    move(-HOUR_S)
    session = running.session()
    answer = running.turn(session, "after")
    running.kill()
    running.start()
    told = [event for event in running.replayed() if event.type == "message.updated"]
    assert answer["info"]["id"] in [event.properties["info"]["id"] for event in told]


def test_a_client_whose_clock_is_ahead_is_answered_after_its_prompt(
    moved: tuple[Processor, Callable[[int], object]],
) -> None:
    running, _ = moved
    session, ahead = running.session(), int((time.time() + HOUR_S) * 1000) << 12
    asked = f"msg_{ahead & (1 << 48) - 1:012x}{'a' * 14}"
    answer = running.wait(session, running.prompt(session, "y", messageID=asked))
    assert answer["info"]["id"] > asked
