"""A limit on the bytes that all turns hold together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event


class MemoryRoom:
    """Bytes with a limit on their sum. Turns that need more than is free wait in order.

    Args:
        size: the limit.

    Attributes:
        size: as given.
        used: how many bytes are taken.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0
        self._waiting: deque[tuple[int, Event]] = deque()

    @contextmanager
    def of(self, count: int) -> Iterator[None]:
        """Take `count` bytes, at most `size`, until the end of the block.

        Blocks until the bytes are free, after all earlier callers.
        """
        if self._waiting or self.used + count > self.size:
            self._wait(count)
        else:
            self.used += count
        try:
            yield
        finally:
            self.give_back(count)

    def grow(self, count: int) -> bool:
        """Take `count` bytes at once; return whether the sum is within the limit."""
        self.used += count
        return self.used <= self.size

    def give_back(self, count: int) -> None:
        """Return bytes, and wake callers that wait for them."""
        self.used -= count
        while self._waiting and self.used + self._waiting[0][0] <= self.size:
            count, entered = self._waiting.popleft()
            self.used += count
            entered.set()

    def _wait(self, count: int) -> None:
        place = count, Event()
        self._waiting.append(place)
        try:
            place[1].wait()
        except BaseException:
            if place in self._waiting:
                self._waiting.remove(place)
                self.give_back(0)
            else:
                self.give_back(count)
            raise
