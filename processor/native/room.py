"""A limit on the memory that the conversations and answers of all running turns take."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from gevent.event import Event


class MemoryRoom:
    """Counts bytes of memory in use. Callers that need more than is free wait in order.

    Args:
        size: the limit in bytes.

    Attributes:
        size: the limit in bytes.
        used: how many bytes are in use; `grow` may exceed the limit.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = 0
        self._waiting: deque[tuple[int, Event]] = deque()

    @contextmanager
    def of(self, count: int) -> Iterator[None]:
        """Reserve `count` bytes until the end of the ``with`` block.

        Waits until the bytes are free and all earlier callers have theirs. A `count` above `size`
        would wait for ever; the caller must check.
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
        """Count `count` more bytes without waiting; return whether the limit still holds."""
        self.used += count
        return self.used <= self.size

    def give_back(self, count: int) -> None:
        """Free `count` bytes, and wake the callers of `of` that now have enough."""
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
