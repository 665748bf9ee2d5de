"""A limit on the turns that run at once; a lane (the queue of a session's prompts) waits for one.

Lanes wait in order. But a turn that runs the tool ``task`` waits for the turn of a child session.
If the child had to wait until another turn ends, all turns could wait for each other for ever. So
the lane of the child does not wait, and its turns do not count.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator

from gevent.event import AsyncResult
from msgspec import Struct, field


class LanePlace(Struct, eq=False):
    """The entry of a lane (a session's queue of prompts) among those that wait for a free turn.

    Attributes:
        is_awaited: whether a running turn waits for this lane, so the lane must not wait.
        answer: set when the lane may start its turn; True if this turn counts for the limit.
    """

    is_awaited: bool
    answer: AsyncResult[bool] = field(default_factory=AsyncResult)


class FreeTurns:
    """Counts how many more turns may start; if none may, the sessions' lanes wait in a queue.

    Args:
        count: how many turns may run at once.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._queue: deque[LanePlace] = deque()

    @contextlib.contextmanager
    def taken(self, place: LanePlace) -> Iterator[None]:
        """Wait until a turn may start, and count the turn until the end of the ``with`` block.

        If a running turn waits for this turn, the call does not wait, and nothing is counted.
        """
        has_taken = self._take(place)
        try:
            yield
        finally:
            if has_taken:
                self._give_back()

    def admit(self, place: LanePlace) -> None:
        """Let a session's prompts start without waiting, because a running turn waits for them."""
        place.is_awaited = True
        if place in self._queue:
            self._queue.remove(place)
            place.answer.set(False)

    def _take(self, place: LanePlace) -> bool:
        """Wait until a turn may start; return whether this turn counts for the limit."""
        if place.is_awaited:
            return False
        if self._count:
            self._count -= 1
            return True
        place.answer = AsyncResult()
        self._queue.append(place)
        return bool(place.answer.get())

    def _give_back(self) -> None:
        if self._queue:
            self._queue.popleft().answer.set(True)
        else:
            self._count += 1
