"""What happens in a session, driven over HTTP as a client would: the same at weir and opencode."""

from collections.abc import Callable
from typing import NamedTuple

from tests.fakes.texts import numbered
from tests.fakes.tools import OPTIONS
from tests.opencode.api import Api
from tests.opencode.collector import Collector, Event

ABORT_AFTER = 20
"""Deltas."""


def _nothing(_api: Api, _collector: Collector, _session: str) -> None:
    """Answer nobody: the turn comes to its end by itself."""


def _permit(api: Api, collector: Collector, session: str) -> None:
    api.permit(collector.first("permission.asked", session)["properties"]["id"])


def _reject(api: Api, collector: Collector, session: str) -> None:
    api.permit(collector.first("permission.asked", session)["properties"]["id"], "reject")


def _choose(api: Api, collector: Collector, session: str) -> None:
    asked = collector.first("question.asked", session)
    api.answer(asked["properties"]["id"], [[OPTIONS[0]]])


def _abort(api: Api, collector: Collector, session: str) -> None:
    # What weir merged counts as often as it was said.
    said = 0

    def enough(event: Event) -> bool:
        nonlocal said
        properties = event["properties"]
        if event["type"] == "message.part.delta" and properties["sessionID"] == session:
            said += len(properties["delta"])
        return said >= ABORT_AFTER * len(numbered(1)[0])

    collector.until(enough)
    api.abort(session)


class Scenario(NamedTuple):
    """A prompt, and what a client does while it is answered.

    ``idles`` is how often the session says that it is idle in the end: twice after an abort or an
    error, with the last updates between.
    """

    name: str
    script: str
    react: Callable[[Api, Collector, str], None] = _nothing
    idles: int = 1

    def begin(self, api: Api) -> str:
        """Make a session and prompt it; return its id."""
        session = api.create()
        api.prompt(session, self.script)
        return session

    def play(self, api: Api, collector: Collector) -> str:
        """Play it in a session of its own, to its end; return the session's id."""
        session = self.begin(api)
        self.end(api, collector, session)
        return session

    def end(self, api: Api, collector: Collector, session: str) -> None:
        """React as a client does, and wait for the end."""
        self.react(api, collector, session)
        collector.first("session.idle", session, self.idles)


PLAIN = Scenario("plain", "the water holds its level 🌊 and passes on")
STORM = Scenario("storm", "storm 2000 40")
TWO = Scenario("two directories", "rate 200 100")
SCENARIOS = (
    PLAIN,
    STORM,
    Scenario("reason", "reason 20 text 30"),
    Scenario("tool", "tool bash echo one; echo two then 5", _permit),
    Scenario("tool rejected", "tool bash echo one then 5", _reject),
    Scenario("question", "question", _choose),
    Scenario("todo", "todo"),
    Scenario("write", "write made.txt what-it-holds"),
    Scenario("abort", "rate 100 2000", _abort, idles=2),
    Scenario("error", "error 400 no such model", idles=2),
)
