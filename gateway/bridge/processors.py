"""Sends commands to processors on any machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import gevent

from bus.answers import AnswerBody, CommandFailed
from bus.commands import Command, More
from bus.redis.queue import ClientLink
from bus.transport.requester import MAX_DEADLINE_S, DeadlineExceeded, ProcessorGone, Requester
from gateway.bridge.mirror import Mirror
from gateway.bridge.reader import StreamReader

_AFTER_NAME = b"\0"


class Processors:
    """All processors that were seen in Redis.

    Args:
        reader: has their mirrors, and knows which of them are alive.
        where: the address of Redis, for messages.
        connect: opens the command channel to a source.
    """

    def __init__(
        self, reader: StreamReader, where: str, connect: Callable[[str], ClientLink]
    ) -> None:
        self._reader = reader
        self._where = where
        self._connect = connect
        self._requesters: dict[str, Requester] = {}

    @property
    def mirrors(self) -> Mapping[str, Mirror]:
        """The mirrors of all sources, by name."""
        return self._reader.mirrors

    def alive(self) -> list[str]:
        """Return the names of the processors that show a sign of life.

        Raises:
            CommandFailed: there is none.
        """
        if not self._reader.alive:
            raise self.absence()
        return sorted(self._reader.alive)

    def least_busy(self) -> str:
        """Return the name of the processor that runs the fewest turns."""
        return min(self.alive(), key=lambda source: self.mirrors[source].turns)

    def ask(self, source: str, command: Command, deadline_s: float = MAX_DEADLINE_S) -> AnswerBody:
        """Return a processor's answer to a command.

        Raises:
            CommandFailed: the processor refuses the command, or does not answer.
        """
        if source not in self._reader.alive:
            raise self.absence(source)
        try:
            done = self._requester(source).call(command, deadline_s)
        except (ProcessorGone, DeadlineExceeded) as error:
            raise CommandFailed("unavailable", f"processor {source}: {error}") from None
        more = None if done.more is None else source.encode() + _AFTER_NAME + done.more
        return AnswerBody(done.body, done.cursor, more)

    def next_piece(self, command: More) -> AnswerBody:
        """Return the next piece of an answer, from the processor that has sent the first."""
        source, _, token = command.token.partition(_AFTER_NAME)
        return self.ask(source.decode("utf-8", "replace"), More(token, command.size))

    def whole(self, source: str, command: Command) -> bytes:
        """Return the body of an answer with all its pieces."""
        answer = self.ask(source, command)
        pieces = [answer.json]
        while answer.more is not None:
            answer = self.next_piece(More(answer.more))
            pieces.append(answer.json)
        return b"".join(pieces)

    def absence(self, source: str | None = None) -> CommandFailed:
        """Return the refusal of a command whose processor is not there."""
        if self._reader.failure:
            words = f"Redis at {self._where} cannot be used: {self._reader.failure}"
        else:
            which = "no processor" if source is None else f"processor {source} no longer"
            words = f"{which} shows a sign of life in Redis at {self._where}"
        return CommandFailed("unavailable", words)

    def _requester(self, source: str) -> Requester:
        requester = self._requesters.get(source)
        if requester is None:
            requester = self._requesters[source] = Requester(
                self._connect(source),
                alive=lambda: source in self._reader.alive,
                deadline_s=MAX_DEADLINE_S,
                restarts=lambda: self._reader.restarts.get(source, 0),
            )
            gevent.spawn(requester.run)
        return requester
