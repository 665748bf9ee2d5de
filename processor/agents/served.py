"""A turn that one of the user's own agents answers."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
import msgspec

from bus.agent_lines import AbortWork, PermissionLine, QuestionsLine, ReplyWork, Work
from bus.answers import CommandFailed
from bus.events.message import Failure
from bus.events.part import TokenCounts
from bus.events.session import ToolRef
from processor.clock import now_ms
from processor.native.answer import Answer
from processor.native.asks import Asker, PendingAsks
from processor.native.record import Record
from processor.native.turn import Turn, aborted
from processor.store import open_turns
from processor.store.open_turns import OpenTurn, Progress

CLAIMED_WITHIN_S = 60.0
"""How long a prompt waits for its agent to take it."""
_MOST_PROCESSES = 2
_ABORTED = "aborted"


class Served(Answer):
    """An answer that one of the user's own agents sends, as lines of NDJSON over HTTP.

    `begin` starts the turn, or `resume` continues a turn of the last processor.

    Args:
        name: the id by which the agent's lines name the turn.
        turn: takes the output.
        prompt: id of the prompt to answer.
        asks: the permission requests and questions that wait for a person.
        hand: sends the agent a prompt, a reply or an abort.
        on_end: called when the turn accepts no more lines.
        is_begun: the agent has sent a line of the turn already.

    Attributes:
        name: as given.
        is_begun: the agent has sent a line of the turn.
        is_claimed: the agent's process has received the prompt, or has sent a line.
        claim_until: the time (monotonic) at which the turn fails unless a process has received the
            prompt.
        why_ended: in words; None while the turn runs.
    """

    is_lasting = True

    def __init__(
        self,
        name: str,
        turn: Turn,
        prompt: str,
        asks: PendingAsks,
        hand: Callable[[Work], None],
        on_end: Callable[[Served], None],
        is_begun: bool,
    ) -> None:
        super().__init__(turn)
        self.name = name
        self.is_begun = self.is_claimed = is_begun
        self.claim_until = time.monotonic() + CLAIMED_WITHIN_S
        self.why_ended: str | None = None
        self._prompt = prompt
        self._asks = asks
        self._asker = Asker(turn.record, prompt, name, self._answered)
        self._hand = hand
        self._on_end = on_end
        self._progress = Progress()
        self._waiting: dict[str, str] = {}
        self._deadline: gevent.Greenlet[..., None] | None = None
        self._processes = 0

    @property
    def record(self) -> Record:
        """The record of the session."""
        return self.turn.record

    def begin(self, agent: str, epoch: int) -> None:
        """Begin the turn; `epoch`: of the agent's process that began it, 0 if a client did."""
        # Noted first: if the processor is killed before the answer is saved, the turn begins
        # again.
        self.record.submit("turn", open_turns.put, self._prompt, agent, epoch, self.name)
        self.turn.begin()
        self.record.gather()

    def resume(self, left: OpenTurn) -> None:
        """Continue a turn that the last processor has left open."""
        self.record.gather()
        self.turn.resume(left)
        self._progress = left.progress
        self.tokens, self.cost = left.progress.tokens, left.progress.cost
        if left.progress.deadline_ms:
            left_s = (left.progress.deadline_ms - now_ms()) / 1000
            self._expire_after(max(0.0, left_s), left.progress.allowed_s)
        for one in left.asks:
            ask = self._asks.resume(one, self._asker)
            if ask is not None:
                self._waiting[one.name] = ask

    def claim(self) -> None:
        """Note that a process of the agent has received the prompt."""
        self._processes += not self.is_claimed
        self.is_claimed = True

    def wait_for_another_process(self) -> bool:
        """Let the agent's next process answer, since the current process is gone.

        Return False if this is not possible: the gone process has sent a line of the answer, or
        is the second process to go. The prompt itself might end each process that receives it.
        """
        if self.is_begun or self._processes >= _MOST_PROCESSES:
            return False
        self.is_claimed = False
        self.claim_until = time.monotonic() + CLAIMED_WITHIN_S
        return True

    def finish(self, reason: str) -> None:
        """End the turn as a success, and wait until the end is saved."""
        self._reason = reason
        self._end("has ended")
        self._concluded.wait()

    def give_up(self, failure: Failure) -> None:
        """End the turn with an error from the agent, and wait until the end is saved."""
        self._failure = failure
        self._end("has ended with an error")
        self._concluded.wait()

    def fail(self, message: str) -> None:
        """End the turn with an error that is sent to the agent too; does not block."""
        if self.why_ended is None:
            self._failure = Failure("UnknownError", {"message": message})
            self._stop(message)

    def abort(self) -> None:
        """End the turn because a person has asked for that; does not block."""
        if self.why_ended is None:
            self._failure = aborted()
            self._stop(_ABORTED)

    def count(self, tokens: TokenCounts, cost: float) -> None:
        """Set the cost of the turn so far."""
        self.tokens, self.cost = tokens, cost
        self._save_progress(tokens=tokens, cost=cost)

    def expire_in(self, seconds: float) -> None:
        """End the turn with an error if it still runs in `seconds` from now."""
        self._save_progress(deadline_ms=now_ms() + int(seconds * 1000), allowed_s=seconds)
        self._expire_after(seconds, seconds)

    def ask(self, line: PermissionLine | QuestionsLine) -> None:
        """Ask a person; the answer goes to the agent as a work item.

        Raises:
            CommandFailed: the id of the ask is in use, or its tool call is not open.
            ModelError: the ask does not fit into the memory of all turns.
        """
        if line.ask in self._waiting:
            raise CommandFailed("invalid", f"ask: {line.ask!r} waits for an answer already")
        call = None
        if line.call is not None:
            part = self.turn.calls.check(line.call)
            call = ToolRef(part.messageID, part.callID)
        self.turn.growth.add(len(msgspec.json.encode(line)))
        self.turn.calls.show()
        self._waiting[line.ask] = self._asks.ask(line, self._asker, call)

    def _answered(self, reply: ReplyWork) -> None:
        if self.why_ended is None:
            self._waiting.pop(reply.ask, None)
            self._hand(reply)

    def _end_turn(self) -> None:
        for ask in self._waiting.values():
            self._asks.withdraw(ask)
        self.record.submit("turn", open_turns.end, self._prompt)
        super()._end_turn()

    def _save_progress(self, **changed: object) -> None:
        self._progress = msgspec.structs.replace(self._progress, **changed)
        self.record.submit("progress", open_turns.put_progress, self._prompt, self._progress)

    def _expire_after(self, seconds: float, allowed_s: float) -> None:
        if self._deadline is not None:
            self._deadline.kill(block=False)
        why = f"the turn has not ended within its deadline of {allowed_s:g} s"
        self._deadline = gevent.spawn_later(seconds, self.fail, why)

    def _stop(self, reason: str) -> None:
        self._end(f"has ended: {reason}")
        self._hand(AbortWork(turn=self.name, reason=reason))

    def _end(self, why: str) -> None:
        self.why_ended = why
        if self._deadline is not None and self._deadline is not gevent.getcurrent():
            self._deadline.kill(block=False)
        self._on_end(self)
        self._ending.set()
