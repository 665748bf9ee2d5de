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
    """A lane's entry in the queue of lanes that wait for a free turn.

    Attributes:
        is_awaited: whether a running turn waits for this lane, so the lane must not wait.
        answer: set when the lane may start its turn; True if this turn counts for the limit.
    """

    is_awaited: bool
    answer: AsyncResult[bool] = field(default_factory=AsyncResult)


class FreeTurns:
    """Counts how many more turns may start, and queues the lanes when none may.

    Args:
        count: how many turns may run at once.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._queue: deque[LanePlace] = deque()

    @contextlib.contextmanager
    def taken(self, place: LanePlace) -> Iterator[None]:
        """Wait until a turn may start, and count it until the end of the block.

        A lane that a running turn waits for neither waits nor counts.
        """
        has_taken = self._take(place)
        try:
            yield
        finally:
            if has_taken:
                self._give_back()

    def admit(self, place: LanePlace) -> None:
        """Let a lane start without waiting from now on, because a running turn waits for it."""
        place.is_awaited = True
        if place in self._queue:
            self._queue.remove(place)
            place.answer.set(False)

    def _take(self, place: LanePlace) -> bool:
        """Wait until the lane may start a turn; return whether this turn counts for the limit."""
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
