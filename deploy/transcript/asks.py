"""Permissions and questions as text, with their answers. Events do not say who answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.transcript.bounded_dict import BoundedDict
from deploy.transcript.page import BOLD, YELLOW, TranscriptPage

_LEAVE = {"once": "allowed once", "always": "allowed always", "reject": "rejected"}

Json = Mapping[str, Any]


class AskLines:
    """Writes permissions and questions."""

    def __init__(self, page: TranscriptPage) -> None:
        self._page = page
        self._asked: BoundedDict[str, list[str]] = BoundedDict()

    def permission(self, properties: Json) -> Iterator[str]:
        """Write what a tool asks permission for."""
        said = f"may {properties['permission']}: {', '.join(properties['patterns'])}"
        yield from self._ask(properties, [said], said)

    def question(self, properties: Json) -> Iterator[str]:
        """Write questions with their options."""
        questions: list[Json] = properties["questions"]
        said = [_with_options(one) for one in questions]
        yield from self._ask(properties, [one["question"] for one in questions], "\n".join(said))

    def permission_replied(self, properties: Json) -> Iterator[str]:
        """Write whether the permission was given."""
        reply = properties["reply"]
        yield from self._answer(properties, [[_LEAVE.get(reply) or str(reply)]])

    def question_replied(self, properties: Json) -> Iterator[str]:
        """Write the answers."""
        yield from self._answer(properties, properties["answers"])

    def question_rejected(self, properties: Json) -> Iterator[str]:
        """Write that the questions stay unanswered."""
        yield from self._answer(properties, [["rejected"]])

    def _ask(self, properties: Json, short: list[str], said: str) -> Iterator[str]:
        if properties["id"] not in self._asked:  # a server repeats it when a reader comes back
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
