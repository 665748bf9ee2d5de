"""The few commands that a processor in front of an opencode executes."""

from __future__ import annotations

import msgspec

from bus.answers import CommandFailed
from bus.commands import Command, Describe, Readiness, Replay, SnapshotGet
from bus.transport import clone, replay
from bus.transport.publisher import Publisher
from processor.upstream.api import NotThere, RestFailed, UpstreamApi
from processor.upstream.condition import Condition


class RelayDispatch:
    """Called by `bus.transport.responder.Responder` for each command."""

    def __init__(
        self, publisher: Publisher, condition: Condition, rest: UpstreamApi, url: str
    ) -> None:
        self._publisher = publisher
        self._rest = rest
        self._condition = condition
        self._url = url

    def __call__(self, command: Command) -> tuple[bytes, str | None]:
        """Execute a command, and return the body of the answer.

        Raises:
            CommandFailed: only the upstream can execute the command, or it failed.
        """
        if isinstance(command, Replay):
            return replay.answer(self._publisher, command), None
        if isinstance(command, SnapshotGet):
            return clone.answer(self._publisher), None
        if isinstance(command, Readiness):
            return msgspec.json.encode(self._condition.body()), None
        if isinstance(command, Describe) and command.what == "path":
            return msgspec.json.encode({"directory": self._folder(command.directory)}), None
        name = type(command).__name__
        raise CommandFailed(
            "invalid", f"{name}: this processor relays an upstream, ask {self._url} directly"
        )

    def _folder(self, spelt: str) -> str:
        """Ask the upstream for its name of a folder: the upstream may run on another machine."""
        try:
            return self._rest.folder(spelt)
        except RestFailed as error:
            raise CommandFailed("internal", f"upstream {self._url}: {error}") from error
        except NotThere as error:
            raise CommandFailed("invalid", f"upstream {self._url} has no GET /path") from error
