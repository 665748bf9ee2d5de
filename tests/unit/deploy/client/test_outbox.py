"""Lines on their way to weir: in order, once, in bounded memory, whatever becomes of an answer."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bus.agent_lines import EndLine, TextLine
from tests.processes import DEADLINE_S
from weir.errors import Fenced, Unreachable, WeirError
from weir.outbox import MOST_WAITING, Outbox
from weir.weir_api import Passing

Answer = Callable[[int, list[dict[str, Any]]], Iterator[dict[str, Any]]]


def ack(first: int, lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield {"type": "ack", "epoch": 1, "seq": first + len(lines) - 1}


class Weir:
    """Stands in for the server; each request gets the next of `answers`, the last for ever."""

    url = "http://weir"

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[tuple[int, list[dict[str, Any]]]] = []
        self._answers = list(answers)

    def connection(self, timeout_s: float) -> Any:
        return self  # only its `close` is used

    def lines(self, connection: Any, method: str, path: str, data: bytes) -> Iterator[bytes]:
        first = int(re.findall(r"seq=(\d+)", path)[0])
        lines = [json.loads(line) for line in data.splitlines()]
        self.requests.append((first, lines))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        for said in answer(first, lines):
            yield json.dumps(said).encode()

    @property
    def texts(self) -> str:
        """What all lines say, each counted once."""
        by_number = {
            first + at: line for first, lines in self.requests for at, line in enumerate(lines)
        }
        found = [by_number[number] for number in sorted(by_number)]
        return "".join("".join(line["text"]) for line in found if line["type"] == "text")

    def close(self) -> None:
        pass


class Sender:
    def __init__(self) -> None:
        self.errors: list[tuple[str, bool]] = []

    def refused(self, message: str, over: bool) -> None:
        self.errors.append((message, over))


def outbox(weir: Weir, failures: list[WeirError] | None = None) -> Outbox:
    return Outbox(weir, "/weir/agents/x", 1, (failures if failures is not None else []).append)  # type: ignore[arg-type]


def text(words: str) -> TextLine:
    return TextLine(turn="t", text=[words])


def test_what_waits_for_an_answer_gathers_in_one_line() -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(first: int, lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        asked.set()
        go.wait(DEADLINE_S)
        yield from ack(first, lines)

    weir = Weir(slow, ack)
    box = outbox(weir)
    box.put(text("a"), 1, Sender())
    assert asked.wait(DEADLINE_S)
    for word in "bcd":
        box.put(text(word), 1, Sender())
    box.put(EndLine(turn="t"), 1, Sender())
    go.set()
    box.wait(box.seq, DEADLINE_S)
    assert [len(lines) for _, lines in weir.requests] == [1, 2]
    assert weir.requests[1][1][0]["text"] == ["b", "c", "d"]
    assert box.close(DEADLINE_S) == 0


def test_one_who_floods_waits_until_weir_has_saved_it() -> None:
    go = threading.Event()

    def slow(first: int, lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        go.wait(DEADLINE_S)
        yield from ack(first, lines)

    weir = Weir(slow)
    box = outbox(weir)
    put: list[int] = []
    piece = "x" * 10_000

    def flood() -> None:
        for _ in range(3 * MOST_WAITING // len(piece)):
            number = box.put(text(piece), len(piece), Sender())
            put.append(number)

    author = threading.Thread(target=flood, daemon=True)
    author.start()
    author.join(0.2)
    assert author.is_alive()
    assert len(put) * len(piece) <= MOST_WAITING + len(piece)
    go.set()
    author.join(DEADLINE_S)
    assert box.close(DEADLINE_S) == 0
    assert weir.texts == piece * (3 * MOST_WAITING // len(piece))


def test_lines_whose_answer_is_lost_are_sent_again_under_their_numbers() -> None:
    def lost(first: int, lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        raise Passing("the connection is cut")
        yield {}

    def half(first: int, lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        yield {"type": "ack", "epoch": 1, "seq": first}
        yield {"type": "failed", "status": 503, "message": "a moment"}

    weir = Weir(lost, half, ack)
    box = outbox(weir)
    box.put(text("a"), 1, Sender())
    box.put(EndLine(turn="t"), 1, Sender())
    box.put(text("b"), 1, Sender())
    box.wait(box.seq, DEADLINE_S)
    assert [first for first, _ in weir.requests][:2] == [1, 1]
    assert weir.requests[-1][0] > 1
    assert weir.texts == "ab"
    box.close(DEADLINE_S)


def test_an_error_goes_to_the_sender_of_its_line() -> None:
    def refuse(first: int, lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for at, line in enumerate(lines):
            if line["type"] == "end":
                yield {"type": "error", "line": at + 1, "seq": first + at, "message": "no"}
        yield from ack(first, lines)

    box = outbox(Weir(refuse))
    good, bad = Sender(), Sender()
    box.put(text("a"), 1, good)
    box.put(EndLine(turn="t"), 1, bad)
    box.wait(box.seq, DEADLINE_S)
    assert (good.errors, bad.errors) == ([], [("no", False)])
    box.close(DEADLINE_S)


@pytest.mark.parametrize("where", ["status", "line"])
def test_a_younger_process_ends_the_older_one(where: str) -> None:
    def fenced(first: int, lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        if where == "status":
            raise Fenced("another process")
        yield {"type": "failed", "status": 409, "message": "another process"}

    failures: list[WeirError] = []
    box = outbox(Weir(fenced), failures)
    with pytest.raises(Fenced, match="another process"):
        box.wait(box.put(text("a"), 1, Sender()), DEADLINE_S)
    with pytest.raises(Fenced):
        box.put(text("b"), 1, Sender())
    assert [type(failure) for failure in failures] == [Fenced]


def test_a_wait_has_an_end() -> None:
    go = threading.Event()

    def slow(first: int, lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        go.wait(DEADLINE_S)
        yield from ack(first, lines)

    box = outbox(Weir(slow))
    with pytest.raises(Unreachable, match="has not saved"):
        box.wait(box.put(text("a"), 1, Sender()), 0.05)
    go.set()
    box.close(DEADLINE_S)
