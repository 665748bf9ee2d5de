"""The turns of all sessions: many at once, but one at a time in a session."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import gevent
from gevent.event import Event

from bus.events.message import UserMessage
from bus.events.session import Session
from processor.answer import Answer

log = logging.getLogger("weir.processor")

MOST_WAITING = 100
"""Prompts of one session that may wait for their turn."""

Start = Callable[[Session, UserMessage], Answer]


class _Lane:
    """The prompts of one session; each is answered when the one before it is."""

    def __init__(self, session: Session, start: Start) -> None:
        self.over: dict[str, Event] = {}
        self._session = session
        self._start = start
        self._waiting: deque[UserMessage] = deque()
        self._answer: Answer | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def add(self, prompt: UserMessage) -> None:
        self._waiting.append(prompt)
        self.over[prompt.id] = Event()

    def abort(self) -> None:
        for prompt in self._waiting:
            self.over.pop(prompt.id).set()
        self._waiting.clear()
        if self._answer is not None:
            self._answer.abort()

    def serve(self) -> None:
        while self._waiting:
            prompt = self._waiting.popleft()
            try:
                self._answer = self._start(self._session, prompt)
                self._answer.conclude()
            except Exception:
                log.exception("session %s: a turn could not be ended", self._session.id)
            finally:
                self._answer = None
                self.over.pop(prompt.id).set()


class Turns:
    """Queues prompts and stops them.

    Args:
        start: begins the turn of a prompt.
    """

    def __init__(self, start: Start) -> None:
        self._start = start
        self._lanes: dict[str, _Lane] = {}
        self._closed: set[str] = set()

    def queue(self, session: Session, prompt: UserMessage) -> None:
        """Answer `prompt` as soon as the earlier ones of its session are."""
        lane = self._lanes.get(session.id)
        if lane is None:
            lane = self._lanes[session.id] = _Lane(session, self._start)
            lane.add(prompt)
            gevent.spawn(self._serve, session.id, lane)
        else:
            lane.add(prompt)

    def is_full(self, session: str) -> bool:
        """Tell whether as many prompts of a session wait as may."""
        lane = self._lanes.get(session)
        return lane is not None and lane.waiting >= MOST_WAITING

    def wait(self, session: str, prompt: str, timeout_s: float) -> bool:
        """Wait until the turn of a prompt is over; tell whether it is."""
        lane = self._lanes.get(session)
        over = lane.over.get(prompt) if lane is not None else None
        return over is None or bool(over.wait(timeout_s))

    def abort(self, sessions: Iterable[str], timeout_s: float) -> None:
        """Stop what runs and forget what waits; wait until that has been said."""
        lanes = [self._lanes[session] for session in sessions if session in self._lanes]
        over = [event for lane in lanes for event in lane.over.values()]
        for lane in lanes:
            lane.abort()
        gevent.wait(over, timeout=timeout_s)

    def abort_all(self, timeout_s: float) -> None:
        """Do so in every session."""
        self.abort(list(self._lanes), timeout_s)

    @contextlib.contextmanager
    def closed(self, sessions: Iterable[str], timeout_s: float) -> Iterator[None]:
        """Stop the turns of sessions, and let none begin until the end of the block."""
        closed = set(sessions)
        self._closed |= closed
        try:
            self.abort(closed, timeout_s)
            yield
        finally:
            self._closed -= closed

    def is_closed(self, session: str) -> bool:
        """Tell whether a session takes no prompts because it is being removed."""
        return session in self._closed

    def _serve(self, session: str, lane: _Lane) -> None:
        lane.serve()
        del self._lanes[session]
