"""Runs the turns (answers to prompts) of all sessions: one at a time in each session.

Prompts wait in one queue for each session, a lane. A lane contains only ids: the text of a waiting
prompt stays in the database, so that many prompts take little memory.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import gevent
from gevent.event import Event

from bus.answers import CommandFailed
from bus.events.message import UserMessage
from bus.events.session import Session
from processor.native.bounds import MAX_PROMPTS, Bounds
from processor.native.free_turns import FreeTurns, LanePlace
from processor.store.failures import StoreFailed
from processor.store.messages import UnknownMessage
from processor.store.sessions import UnknownSession

log = logging.getLogger("weir.processor")

MOST_WAITING = 100
"""How many prompts of one session may wait to be answered."""
RETRY_AFTER_S = 5

RETRY_LOAD_S = 1.0

Load = Callable[[str, str], tuple[Session, UserMessage]]


class Running(Protocol):
    """A running turn; it starts when the object is made.

    Attributes:
        is_lasting: whether the turn continues after a restart of the processor.
    """

    is_lasting: bool

    def abort(self) -> None:
        """Ask the turn to stop; return at once."""

    def conclude(self) -> None:
        """Wait until the turn is complete or stopped; then save and publish its end."""


Start = Callable[[Session, UserMessage], Running]


class _Lane:
    """The queue of one session's prompts, which are answered one after another.

    Attributes:
        place: the lane's entry in the queue for a free turn.
        over: for each prompt that waits or runs, an event that is set when its turn is over.
        waiting: the ids of the prompts that wait.
    """

    def __init__(self, session: str, turns: Turns, is_awaited: bool) -> None:
        self.place = LanePlace(is_awaited)
        self.over: dict[str, Event] = {}
        self.waiting: deque[str] = deque()
        self._session = session
        self._turns = turns
        self._answer: Running | None = None

    def add(self, prompt: str) -> None:
        self.waiting.append(prompt)
        self._turns.waiting += 1
        self.over[prompt] = Event()

    def abort(self) -> None:
        while self.waiting:
            self._drop()
        if self._answer is not None:
            self._answer.abort()
        else:
            self._turns.over(self._session)

    @property
    def is_lasting(self) -> bool:
        return self._answer is not None and self._answer.is_lasting

    def serve(self) -> None:
        while self.waiting:
            with self._turns.free.taken(self.place):
                if (found := self._load()) is not None:
                    self._answer_to(*found)

    def _take(self) -> str:
        self._turns.waiting -= 1
        return self.waiting.popleft()

    def _drop(self) -> None:
        """Remove the next prompt from the queue; it gets no answer."""
        prompt = self._take()
        self._turns.dropped(prompt)
        self.over.pop(prompt).set()

    def _load(self) -> tuple[Session, UserMessage] | None:
        """Return the next session and prompt; None if no prompt is left.

        Prompts that were removed meanwhile are left out. If the database fails, try again until it
        can return the prompt.
        """
        while self.waiting:
            prompt = self.waiting[0]
            try:
                found = self._turns.load(self._session, prompt)
            except UnknownSession:
                self.abort()
                return None
            except UnknownMessage:
                if self.waiting and self.waiting[0] == prompt:
                    self._drop()
                continue
            except StoreFailed as error:
                log.error("session %s: a turn waits for the store: %s", self._session, error)
                gevent.sleep(RETRY_LOAD_S)
                continue
            if self.waiting and self.waiting[0] == prompt:
                self._take()
                return found
        return None

    def _answer_to(self, session: Session, prompt: UserMessage) -> None:
        try:
            self._answer = self._turns.start(session, prompt)
            self._answer.conclude()
        except Exception:
            log.exception("session %s: a turn could not be ended", self._session)
        finally:
            self._answer = None
            self.over.pop(prompt.id).set()


class Turns:
    """Queues the prompts of all sessions, and starts and stops their turns.

    Args:
        load: returns a session and a prompt by their ids.
        start: starts the turn of a prompt.
        bounds: how many turns may run, and how many prompts may wait.

    Attributes:
        load: returns a session and a prompt by their ids.
        start: starts the turn of a prompt.
        free: counts how many more turns may start.
        waiting: how many prompts wait, in all sessions together.
        dropped: called with the id of each prompt that is removed from its queue unanswered.
        over: called with the id of a session when no prompt of the session waits or runs.
    """

    def __init__(self, load: Load, start: Start, bounds: Bounds) -> None:
        self.load = load
        self.start = start
        self.free = FreeTurns(bounds.turns)
        self.waiting = 0
        self.dropped: Callable[[str], None] = lambda prompt: None
        self.over: Callable[[str], None] = lambda session: None
        self._most = bounds.prompts
        self._lanes: dict[str, _Lane] = {}
        self._closed: set[str] = set()
        self._coming: Counter[str] = Counter()

    @contextlib.contextmanager
    def place(self, session: str) -> Iterator[None]:
        """Reserve a place in a session's queue while the caller saves a prompt and queues it.

        Raises:
            CommandFailed: too many prompts wait, in this session or in all sessions together.
        """
        lane = self._lanes.get(session)
        waiting = (0 if lane is None else len(lane.waiting)) + self._coming[session]
        if waiting >= MOST_WAITING:
            raise _full(f"{MOST_WAITING} prompts of session {session}", "prompts of a session")
        if self.waiting + self._coming.total() >= self._most:
            raise _full(f"{self._most} prompts", f"--{MAX_PROMPTS.name}")
        self._coming[session] += 1
        try:
            yield
        finally:
            self._coming[session] -= 1
            if not self._coming[session]:
                del self._coming[session]

    def queue(self, session: str, prompt: str, within: bool = False) -> None:
        """Queue a prompt, which is answered after the earlier prompts of its session.

        Args:
            session: the id of the session.
            prompt: the id of the prompt, which must be saved.
            within: whether a running turn waits for the answer. If True, the prompt does not wait
                for a free turn: the turn that waits would never end.
        """
        lane = self._lanes.get(session)
        if lane is None:
            lane = self._lanes[session] = _Lane(session, self, within)
            lane.add(prompt)
            gevent.spawn(self._serve, session, lane)
            return
        lane.add(prompt)
        if within:
            self.free.admit(lane.place)

    def wait(self, session: str, prompt: str, timeout_s: float) -> bool:
        """Wait until the turn of a prompt is over; return False if `timeout_s` passes first."""
        lane = self._lanes.get(session)
        over = lane.over.get(prompt) if lane is not None else None
        return over is None or bool(over.wait(timeout_s))

    def abort(self, sessions: Iterable[str], timeout_s: float) -> None:
        """Stop the turns of sessions and drop their waiting prompts.

        Waits until the turns have published their end, but at most `timeout_s`.
        """
        lanes = [self._lanes[session] for session in sessions if session in self._lanes]
        over = [event for lane in lanes for event in lane.over.values()]
        for lane in lanes:
            lane.abort()
        gevent.wait(over, timeout=timeout_s)

    def abort_all(self, timeout_s: float) -> None:
        """Do the same as `abort` in all sessions, except those whose turn survives a restart."""
        stopped = [session for session, lane in self._lanes.items() if not lane.is_lasting]
        self.abort(stopped, timeout_s)

    @contextlib.contextmanager
    def closed(self, sessions: Iterable[str], timeout_s: float) -> Iterator[None]:
        """Stop the turns of sessions, and accept no prompts for them in the ``with`` block."""
        closed = set(sessions)
        self._closed |= closed
        try:
            self.abort(closed, timeout_s)
            yield
        finally:
            self._closed -= closed

    def is_busy(self, session: str) -> bool:
        """Return whether a prompt of a session is being answered, waits, or is about to wait."""
        return session in self._lanes or self._coming[session] > 0

    def waits(self, session: str) -> bool:
        """Return whether a prompt of a session waits for the end of other turns."""
        lane = self._lanes.get(session)
        return lane is not None and bool(lane.waiting)

    def is_closed(self, session: str) -> bool:
        """Return whether a session accepts no prompts because it is being removed."""
        return session in self._closed

    def _serve(self, session: str, lane: _Lane) -> None:
        lane.serve()
        del self._lanes[session]
        self.over(session)


def _full(what: str, bound: str) -> CommandFailed:
    return CommandFailed(
        "full",
        f"{what} wait for their turn already, and no more may; wait for answers, or abort",
        bound=bound,
        retry_after_s=RETRY_AFTER_S,
    )
