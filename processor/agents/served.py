"""A turn that an agent of one's own answers."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
import msgspec
from gevent.event import Event

from bus.agent_lines import Abort, Permission, Questions, Reply, Work
from bus.commands import CommandFailed
from bus.events.message import Failure
from bus.events.part import Tokens
from bus.events.session import ToolRef
from processor.asks import Asks
from processor.record import Record
from processor.turn import Turn, aborted

CLAIMED_WITHIN_S = 60.0
"""How long a prompt waits for its agent to come."""
_ABORTED = "aborted"


class Served:
    """Runs from the moment it is made; `processor.turns` waits for its end.

    Args:
        name: what lines call the turn.
        turn: takes what the lines say.
        asks: where people are asked.
        hand: gives the agent work.
        on_end: called when the turn takes no more lines.
        claimed: the agent knows of the turn already, since it has begun it.

    Attributes:
        name: as given.
        turn: as given.
        claimed: the agent knows of the turn.
        claim_until: when the turn is given up if the agent does not know of it (monotonic).
        tokens: what the turn has cost so far.
        cost: the same in US dollars.
        why_ended: in words; None while the turn runs.
    """

    def __init__(
        self,
        name: str,
        turn: Turn,
        asks: Asks,
        hand: Callable[[Work], None],
        on_end: Callable[[Served], None],
        claimed: bool,
    ) -> None:
        self.name = name
        self.turn = turn
        self.claimed = claimed
        self.claim_until = time.monotonic() + CLAIMED_WITHIN_S
        self.tokens = Tokens.none()
        self.cost: float = 0
        self.why_ended: str | None = None
        self._asks = asks
        self._hand = hand
        self._on_end = on_end
        self._reason: str | None = None
        self._failure: Failure | None = None
        self._waiting: dict[str, str] = {}
        self._deadline: gevent.Greenlet[..., None] | None = None
        self._ending, self._concluded = Event(), Event()
        turn.begin()

    @property
    def record(self) -> Record:
        """Where the session's events go."""
        return self.turn.record

    def finish(self, reason: str) -> None:
        """End the turn well, and wait until the end is saved."""
        self._reason = reason
        self._end("has ended")
        self._concluded.wait()

    def give_up(self, failure: Failure) -> None:
        """End the turn with an error of the agent's, and wait until the end is saved."""
        self._failure = failure
        self._end("has ended with an error")
        self._concluded.wait()

    def fail(self, message: str) -> None:
        """End the turn with an error that the agent is to hear of; does not block."""
        if self.why_ended is None:
            self._failure = Failure("UnknownError", {"message": message})
            self._stop(message)

    def abort(self) -> None:
        """End the turn because somebody asked for that; does not block."""
        if self.why_ended is None:
            self._failure = aborted()
            self._stop(_ABORTED)

    def conclude(self) -> None:
        """Wait until the turn is to end, and end it accordingly."""
        try:
            self._ending.wait()
            for request in self._waiting.values():
                self._asks.withdraw(request)
            if self._reason is not None:
                self.turn.finish(self._reason, self.tokens, self.cost)
            else:
                self.turn.fail(self._failure or aborted())
        finally:
            self._concluded.set()

    def expire_in(self, seconds: float) -> None:
        """End the turn as an error unless it has ended in so many seconds."""
        if self._deadline is not None:
            self._deadline.kill(block=False)
        why = f"the turn has not ended within its deadline of {seconds:g} s"
        self._deadline = gevent.spawn_later(seconds, self.fail, why)

    def ask(self, line: Permission | Questions) -> None:
        """Ask a person; the answer goes to the agent as work.

        Raises:
            CommandFailed: the name of the ask is in use, or its tool call is not open.
            ModelError: there is no room for so much.
        """
        if line.ask in self._waiting:
            raise CommandFailed("invalid", f"ask: {line.ask!r} waits for an answer already")
        call = None
        if line.call is not None:
            part = self.turn.calls.check(line.call)
            call = ToolRef(part.messageID, part.callID)

        def answered(reply: Reply) -> None:
            if self.why_ended is None:
                self._waiting.pop(line.ask, None)
                self._hand(reply)

        self.turn.growth.add(len(msgspec.json.encode(line)))
        self.turn.calls.show()
        self._waiting[line.ask] = self._asks.ask(line, self.record, call, answered)

    def _stop(self, reason: str) -> None:
        self._end(f"has ended: {reason}")
        self._hand(Abort(turn=self.name, reason=reason))

    def _end(self, why: str) -> None:
        self.why_ended = why
        if self._deadline is not None and self._deadline is not gevent.getcurrent():
            self._deadline.kill(block=False)
        self._on_end(self)
        self._ending.set()
