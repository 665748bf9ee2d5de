"""The commands that a processor in front of an opencode carries out: very few."""

from __future__ import annotations

import msgspec

from bus import clone, replay
from bus.commands import Command, CommandFailed, Readiness, Replay, SnapshotGet
from bus.publisher import Publisher
from processor.upstream.condition import Condition


class RelayDispatch:
    """Called by `bus.responder.Responder` for each command."""

    def __init__(self, publisher: Publisher, condition: Condition, url: str) -> None:
        self._publisher = publisher
        self._condition = condition
        self._url = url

    def __call__(self, command: Command) -> tuple[bytes, str | None]:
        """Return the body of the answer.

        Raises:
            CommandFailed: it is for the upstream to do, or could not be done.
        """
        if isinstance(command, Replay):
            return replay.answer(self._publisher, command), None
        if isinstance(command, SnapshotGet):
            return clone.answer(self._publisher), None
        if isinstance(command, Readiness):
            return msgspec.json.encode(self._condition.body()), None
        name = type(command).__name__
        raise CommandFailed(
            "invalid", f"{name}: this processor relays an upstream, ask {self._url} itself"
        )
