"""A limit on the turns that run at once. Lanes wait in order, but for those that a turn waits for.

A turn that runs a task waits for the turn of a child session. If the child waited for a turn to
end, all turns could wait for each other for ever. So the child needs no free turn.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator

from gevent.event import AsyncResult
from msgspec import Struct, field


class LanePlace(Struct, eq=False):
    """A lane's place among the lanes that wait for a free turn.

    Attributes:
        is_awaited: a turn that runs waits for the lane, so the lane needs no free turn.
        answer: set when the lane may go on: whether the lane has taken a turn.
    """

    is_awaited: bool
    answer: AsyncResult[bool] = field(default_factory=AsyncResult)


class FreeTurns:
    """The turns that may still begin.

    Args:
        count: how many turns may run at once.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._queue: deque[LanePlace] = deque()

    @contextlib.contextmanager
    def taken(self, place: LanePlace) -> Iterator[None]:
        """Take a turn for the block, after all lanes that wait; an awaited lane takes none."""
        has_taken = self._take(place)
        try:
            yield
        finally:
            if has_taken:
                self._give_back()

    def admit(self, place: LanePlace) -> None:
        """Let a lane go on without a free turn from now on, since a turn waits for the lane."""
        place.is_awaited = True
        if place in self._queue:
            self._queue.remove(place)
            place.answer.set(False)

    def _take(self, place: LanePlace) -> bool:
        """Wait for a turn; return whether the lane has taken a turn."""
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
