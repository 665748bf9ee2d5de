"""An agent of a user, as tests of the processor play it."""

import json
from collections.abc import Callable
from typing import Any

import gevent

from bus import agent_lines as wire
from bus.agent_commands import AgentLines, AgentWork
from bus.agent_lines import Taken
from bus.bodies import CreateBody
from tests.processes import DEADLINE_S
from tests.unit.processor.rig import DIRECTORY, Rig

END = wire.EndLine(turn="t")


class Author:
    """An agent that publishes into one session."""

    def __init__(self, rig: Rig, name: str = "nightly") -> None:
        self.rig = rig
        self.name = name
        self.session = rig.sessions.create(DIRECTORY, CreateBody(title="fixed title")).id

    def send(self, *lines: Any, **how: Any) -> Taken:
        with gevent.Timeout(DEADLINE_S):
            return self.rig.agents.lines(
                AgentLines(self.name, how.get("epoch"), how.get("seq"), list(lines), 10.0)
            )

    def work(self, epoch: int | None = None, **how: Any) -> Any:
        return self.rig.agents.work(
            AgentWork(self.name, epoch, how.get("after", 0), 0, how.get("lease", 10.0), True)
        )

    def begin(self, turn: str = "t") -> wire.BeginLine:
        return wire.BeginLine(turn=turn, session=self.session, prompt="do it")

    def answer(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        self.rig.publisher.flush()
        stored = self.rig.messages(self.session)[-1]
        return json.loads(bytes(stored.info)), [json.loads(bytes(part)) for part in stored.parts]

    def failed(self) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return the answer once it has an error."""
        until(lambda: "error" in self.answer()[0])
        return self.answer()


def words(turn: str = "t", *deltas: str) -> wire.TextLine:
    return wire.TextLine(turn=turn, text=list(deltas))


def until(condition: Callable[[], Any]) -> Any:
    """Return the first true value of a condition."""
    with gevent.Timeout(DEADLINE_S):
        while not (value := condition()):
            gevent.sleep(0.002)
    return value


def of_kind(parts: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [part for part in parts if part["type"] == kind]
