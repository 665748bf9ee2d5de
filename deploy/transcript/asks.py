"""Formats the permissions and questions of tools as text, and the answers that people give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.transcript.bounded_dict import BoundedDict
from deploy.transcript.page import BOLD, YELLOW, TranscriptPage

_LEAVE = {"once": "allowed once", "always": "allowed always", "reject": "rejected"}

Json = Mapping[str, Any]


class AskLines:
    """Formats the events about permissions and questions; each method yields the text of one."""

    def __init__(self, page: TranscriptPage) -> None:
        self._page = page
        self._asked: BoundedDict[str, list[str]] = BoundedDict()

    def permission(self, properties: Json) -> Iterator[str]:
        """Yield the text for a permission that a tool asks for."""
        said = f"may {properties['permission']}: {', '.join(properties['patterns'])}"
        yield from self._ask(properties, [said], said)

    def question(self, properties: Json) -> Iterator[str]:
        """Yield the text for a tool's questions, with the answers to choose from."""
        questions: list[Json] = properties["questions"]
        said = [_with_options(one) for one in questions]
        yield from self._ask(properties, [one["question"] for one in questions], "\n".join(said))

    def permission_replied(self, properties: Json) -> Iterator[str]:
        """Yield the text for a reply to a permission: whether a person has given it."""
        reply = properties["reply"]
        yield from self._answer(properties, [[_LEAVE.get(reply) or str(reply)]])

    def question_replied(self, properties: Json) -> Iterator[str]:
        """Yield the text for the answers to questions."""
        yield from self._answer(properties, properties["answers"])

    def question_rejected(self, properties: Json) -> Iterator[str]:
        """Yield the text for questions that a person has declined to answer."""
        yield from self._answer(properties, [["rejected"]])

    def _ask(self, properties: Json, short: list[str], said: str) -> Iterator[str]:
        # After a reconnection, the server sends open permissions and questions again.
        if properties["id"] not in self._asked:
            self._asked[properties["id"]] = short
            yield from self._page.entry(properties["sessionID"], f"? {said}", BOLD)

    def _answer(self, properties: Json, answers: list[list[str]]) -> Iterator[str]:
        asked = self._asked.get(properties["requestID"], [])
        said = []
        for number, answer in enumerate(answers):
            short = f"{asked[number]} " if number < len(asked) else ""
            said.append(f"= {short}-> {', '.join(answer) or 'nothing'}")
        yield from self._page.entry(properties["sessionID"], "\n".join(said), YELLOW)


def _with_options(question: Json) -> str:
    many = " (any of them)" if question.get("multiple") else ""
    lines = [f"{question['question']}{many}"]
    for option in question.get("options") or []:
        what = option.get("description")
        lines.append(f"- {option['label']}" + (f": {what}" if what else ""))
    return "\n".join(lines)
