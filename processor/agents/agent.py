"""One agent: which of its processes is the current one, the number of its last line, its work."""

from __future__ import annotations

import time
from collections import OrderedDict, deque

from gevent.event import Event
from gevent.lock import BoundedSemaphore

from bus.agent_lines import AbortWork, LineError, Work
from bus.answers import CommandFailed
from processor.agents.served import Served
from processor.clock import now_ms
from processor.store.open_turns import OpenTurn

MOST_WORK = 10_000
_MOST_ABORTS = 100
_MOST_ENDED = 1000


class Agent:
    """An agent, known by its name.

    Args:
        name: as in prompts and sessions.
        epoch: of the process that connected last, 0 if none has ever connected.
        seq: number of its last line that is saved.

    Attributes:
        name: as given.
        epoch: of the current process; lines of older epochs are refused.
        seq: number of its last line that was applied.
        saved: number of its last line that is saved.
        lock: held while its lines are applied.
        turns: its running turns, by their ids in lines.
        begun: turns that it has begun and that wait for their session: id in lines and session, by
            the prompt's id.
        left: those turns that the last processor has left open.
        stale: the sessions of waiting turns that an earlier epoch has begun, by the prompt's id.
        asks_for_prompts: the agent answers prompts of clients.
    """

    def __init__(self, name: str, epoch: int = 0, seq: int = 0) -> None:
        self.name = name
        self.epoch = epoch
        self.seq = self.saved = seq
        self.lock = BoundedSemaphore(1)
        self.turns: dict[str, Served] = {}
        self.begun: dict[str, tuple[str, str]] = {}
        self.left: dict[str, OpenTurn] = {}
        self.stale: dict[str, str] = {}
        self.asks_for_prompts = False
        # After a restart the last number is unknown. The clock gives a larger one.
        self._number = now_ms() * 1000
        self._work: deque[Work] = deque()
        self._news = Event()
        self._started = Event()
        self._ended: OrderedDict[str, str] = OrderedDict()
        self._errors: dict[int, LineError] = {}
        self._heard_until = self._awaited_until = 0.0

    @property
    def is_awaited(self) -> bool:
        """Whether turns of the last processor wait for the agent's return."""
        return time.monotonic() < self._awaited_until

    @property
    def is_connected(self) -> bool:
        """Whether the agent has sent something within its lease."""
        return time.monotonic() < self._heard_until

    @property
    def takes_prompts(self) -> bool:
        """Whether the agent is connected, and answers prompts of clients."""
        return self.asks_for_prompts and self.is_connected

    @property
    def running(self) -> list[str]:
        """The ids of its turns that run, or wait for their session."""
        return [*self.turns, *(name for name, _ in self.begun.values())]

    def renew(self, lease_s: float) -> None:
        """Count the agent as connected for `lease_s` from now on."""
        self._heard_until = max(self._heard_until, time.monotonic() + lease_s)
        self._awaited_until = 0.0

    def inherit(self, turn: OpenTurn, return_s: float) -> None:
        """Take a turn that the last processor has left open, until the agent returns."""
        if turn.is_own and turn.epoch < self.epoch:
            self.stale[turn.prompt] = turn.session
        else:
            self.begun[turn.prompt] = turn.name, turn.session
        self.left[turn.prompt] = turn
        self._awaited_until = time.monotonic() + return_s

    def check(self, epoch: int) -> None:
        """Check that an epoch is the current one.

        Raises:
            CommandFailed: a newer process of this name has connected.
        """
        if epoch < self.epoch:
            raise CommandFailed(
                "conflict",
                f"agent {self.name!r}: epoch {epoch} is fenced (its lines are refused), since "
                f"another process of this name has connected with epoch {self.epoch}",
            )

    def enter(self, epoch: int) -> None:
        """Let another process of this agent take over.

        Turns of which the earlier process has sent a line end with an error. Prompts without a
        line are sent to the new process.
        """
        for served in list(self.turns.values()):
            if served.is_claimed and not served.wait_for_another_process():
                served.fail(f"another process has taken over as agent {self.name!r}")
        own = {prompt: session for prompt, (name, session) in self.begun.items() if name != prompt}
        self.stale.update(own)
        self.begun = {prompt: one for prompt, one in self.begun.items() if prompt not in own}
        self.epoch, self.seq, self.saved = epoch, 0, 0
        self.asks_for_prompts = False
        self._work = deque(one for one in self._work if one.turn in self.turns)
        self._errors = {}
        self._heard_until = self._awaited_until = 0.0
        self._wake()
        self._tell_started()  # requests of the earlier process that wait here now fail

    def waits(self, turn: str) -> bool:
        """Return whether a turn that the agent has begun waits for its session."""
        return any(name == turn for name, _ in self.begun.values())

    def wait_for_start(self, within_s: float) -> None:
        """Wait until any turn starts, or is dropped before its start."""
        self._started.wait(within_s)

    def start(self, served: Served, prompt: str) -> None:
        """Note that a turn runs."""
        self.begun.pop(prompt, None)
        self.turns[served.name] = served
        self._tell_started()
        if self.stale.pop(prompt, None) is not None:
            served.fail(f"another process has taken over as agent {self.name!r}")

    def never_began(self, prompt: str) -> None:
        """Note that a turn was aborted or removed before it ran."""
        name, _ = self.begun.pop(prompt)
        self.left.pop(prompt, None)
        self._note_end(name, "was aborted before it began")
        self._tell_started()
        self.hand(AbortWork(turn=name, reason="aborted"))

    def why_not(self, turn: str) -> str:
        """Return why a turn accepts no lines."""
        return self._ended.get(turn, "was never begun, or ended before the processor started")

    def note_error(self, error: LineError) -> None:
        """Keep a line's error, for a line that is sent again because its answer was lost."""
        self._errors[error.seq] = error

    def forget_errors(self, before: int) -> None:
        """Drop the errors of lines before number `before`, whose answer has arrived."""
        self._errors = {seq: error for seq, error in self._errors.items() if seq >= before}

    def errors_of(self, first: int, last: int) -> list[LineError]:
        """Return the errors of the lines from `first` to `last`."""
        return [error for seq, error in self._errors.items() if first <= seq <= last]

    def hand(self, work: Work) -> None:
        """Append a work item."""
        self._number += 1
        work.number = self._number
        self._work.append(work)
        aborts = [one for one in self._work if isinstance(one, AbortWork)]
        for old in aborts[:-_MOST_ABORTS]:
            self._work.remove(old)
        self._wake()

    def over(self, served: Served) -> None:
        """Drop the work items of a turn that has ended, except an abort.

        A process that connects later still has to stop its work on the turn.
        """
        if self.turns.get(served.name) is served:
            del self.turns[served.name]
            self._note_end(served.name, served.why_ended or "has ended")
        self._work = deque(
            one for one in self._work if one.turn != served.name or isinstance(one, AbortWork)
        )

    def claim(self, upto: int) -> None:
        """Note that the agent has received the work items up to a number."""
        if upto > self._number:
            # The number is from an earlier processor, whose clock was ahead.
            for work in self._work:
                upto += 1
                work.number = upto
            self._number = upto
            return
        for one in self._work:
            served = self.turns.get(one.turn)
            if one.number <= upto and served is not None:
                served.claim()

    def work(self, after: int, wait_s: float) -> list[Work]:
        """Return the work items after a number; if there are none, wait for one."""
        found = self._after(after)
        if not found and wait_s > 0:
            news = self._news
            news.wait(wait_s)
            found = self._after(after)
        return found

    def tick(self, now: float) -> None:
        """End turns that wait for an absent agent; must not block.

        Args:
            now: `time.monotonic()`.
        """
        for served in list(self.turns.values()):
            if served.is_claimed and now > max(self._heard_until, self._awaited_until):
                if not served.wait_for_another_process():
                    served.fail(f"agent {self.name!r} has disconnected during the turn")
            elif not served.is_claimed and now > served.claim_until:
                served.fail(f"agent {self.name!r} is not connected, or takes no prompts")

    def _after(self, number: int) -> list[Work]:
        return [one for one in self._work if one.number > number][:MOST_WORK]

    def _note_end(self, turn: str, why: str) -> None:
        self._ended[turn] = why
        if len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)

    def _tell_started(self) -> None:
        started, self._started = self._started, Event()
        started.set()

    def _wake(self) -> None:
        news, self._news = self._news, Event()
        news.set()
