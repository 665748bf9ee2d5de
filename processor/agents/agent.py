"""One agent: which of its processes is the current one, the number of its last line, its work."""

from __future__ import annotations

import time
from collections import OrderedDict, deque

from gevent.event import Event
from gevent.lock import BoundedSemaphore

from bus.agent_lines import Abort, LineError, Work
from bus.commands import CommandFailed
from processor.agents.served import Served
from processor.clock import now_ms
from processor.store.open_turns import OpenTurn

MOST_WORK = 10_000
_MOST_ABORTS = 100
_MOST_ENDED = 1000


class Agent:
    """An agent by its name.

    Args:
        name: as in prompts and sessions.
        epoch: of the process that connected last, 0 if no process ever has.
        seq: number of its last line that is saved.

    Attributes:
        name: as given.
        epoch: as given; an older epoch is fenced.
        seq: number of its last line that was carried out.
        saved: number of its last line that is saved.
        lock: held while its lines are carried out.
        turns: its turns that run, by the name that lines have for a turn.
        begun: turns that it has begun and that wait for their session: name and session, by the
            prompt's id.
        left: turns of the last processor that are among these.
        stale: the same of turns that an earlier epoch has begun: only the session.
        asks_for_prompts: the agent answers the prompts of others.
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
        # So that the numbers go on where a restart has forgotten the last one.
        self._number = now_ms() * 1000
        self._work: deque[Work] = deque()
        self._news = Event()
        self._started = Event()
        self._ended: OrderedDict[str, str] = OrderedDict()
        self._errors: dict[int, LineError] = {}
        self._heard_until = self._awaited_until = 0.0

    @property
    def is_awaited(self) -> bool:
        """Whether turns of the last processor wait for the agent to come back."""
        return time.monotonic() < self._awaited_until

    @property
    def is_connected(self) -> bool:
        """Whether the agent was heard within the time that it asked for."""
        return time.monotonic() < self._heard_until

    @property
    def takes_prompts(self) -> bool:
        """Whether the agent is connected, and has asked for the prompts of others."""
        return self.asks_for_prompts and self.is_connected

    @property
    def running(self) -> list[str]:
        """The names of its turns that run, or wait for their session."""
        return [*self.turns, *(name for name, _ in self.begun.values())]

    def renew(self, lease_s: float) -> None:
        """Count the agent as connected for so long."""
        self._heard_until = max(self._heard_until, time.monotonic() + lease_s)
        self._awaited_until = 0.0

    def inherit(self, turn: OpenTurn, return_s: float) -> None:
        """Take a turn that the last processor has left, for an agent that is to come back."""
        if turn.is_own and turn.epoch < self.epoch:
            self.stale[turn.prompt] = turn.session
        else:
            self.begun[turn.prompt] = turn.name, turn.session
        self.left[turn.prompt] = turn
        self._awaited_until = time.monotonic() + return_s

    def check(self, epoch: int) -> None:
        """Check that an epoch is the present one.

        Raises:
            CommandFailed: a newer process of the same name has connected.
        """
        if epoch < self.epoch:
            raise CommandFailed(
                "conflict",
                f"agent {self.name!r}: epoch {epoch} is fenced, since a process of the same name "
                f"has connected with epoch {self.epoch}",
            )

    def enter(self, epoch: int) -> None:
        """Let another process take over: what the one before it ran ends, and what waits stays."""
        for served in list(self.turns.values()):
            if served.claimed:
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
        self._tell_started()  # lines of the process before it that wait give up

    def waits(self, turn: str) -> bool:
        """Tell whether a turn that the agent has begun waits for its session."""
        return any(name == turn for name, _ in self.begun.values())

    def wait_for_start(self, within_s: float) -> None:
        """Wait until some turn starts, or is given up before its start."""
        self._started.wait(within_s)

    def start(self, served: Served, prompt: str) -> None:
        """Note that a turn runs."""
        self.begun.pop(prompt, None)
        self.turns[served.name] = served
        self._tell_started()
        if self.stale.pop(prompt, None) is not None:
            served.fail(f"another process has taken over as agent {self.name!r}")

    def never_began(self, prompt: str) -> None:
        """Note that a turn was aborted before it ran, or went with its session."""
        name, _ = self.begun.pop(prompt)
        self.left.pop(prompt, None)
        self._note_end(name, "was aborted before it began")
        self._tell_started()
        self.hand(Abort(turn=name, reason="aborted"))

    def why_not(self, turn: str) -> str:
        """Say why a turn takes no lines."""
        return self._ended.get(turn, "was never begun, or ended before the processor started")

    def note_error(self, error: LineError) -> None:
        """Keep an error of a line: an answer may be lost, and the line is then sent again."""
        self._errors[error.seq] = error

    def forget_errors(self, before: int) -> None:
        """Forget the errors of lines whose answer has arrived: the agent sends later lines."""
        self._errors = {seq: error for seq, error in self._errors.items() if seq >= before}

    def errors_of(self, first: int, last: int) -> list[LineError]:
        """Return the errors of the lines from `first` to `last`."""
        return [error for seq, error in self._errors.items() if first <= seq <= last]

    def hand(self, work: Work) -> None:
        """Put an item of work behind all others."""
        self._number += 1
        work.number = self._number
        self._work.append(work)
        aborts = [one for one in self._work if isinstance(one, Abort)]
        for old in aborts[:-_MOST_ABORTS]:
            self._work.remove(old)
        self._wake()

    def over(self, served: Served) -> None:
        """Drop the work of a turn that has ended; an abort stays, for a stream that comes anew."""
        if self.turns.get(served.name) is served:
            del self.turns[served.name]
            self._note_end(served.name, served.why_ended or "has ended")
        self._work = deque(
            one for one in self._work if one.turn != served.name or isinstance(one, Abort)
        )

    def claim(self, upto: int) -> None:
        """Note that the agent has received the work up to a number."""
        if upto > self._number:
            # An earlier processor, whose clock was ahead, has given out that number.
            for work in self._work:
                upto += 1
                work.number = upto
            self._number = upto
            return
        for one in self._work:
            served = self.turns.get(one.turn)
            if one.number <= upto and served is not None:
                served.claimed = True

    def work(self, after: int, wait_s: float) -> list[Work]:
        """Return the work after a number; where there is none, wait for it."""
        found = self._after(after)
        if not found and wait_s > 0:
            news = self._news
            news.wait(wait_s)
            found = self._after(after)
        return found

    def tick(self, now: float) -> None:
        """End turns that wait for an agent that is not there; must not block.

        Args:
            now: `time.monotonic()`.
        """
        for served in list(self.turns.values()):
            if served.claimed and now > max(self._heard_until, self._awaited_until):
                served.fail(f"agent {self.name!r} has disconnected during the turn")
            elif not served.claimed and now > served.claim_until:
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
