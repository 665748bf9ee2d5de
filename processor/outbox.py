"""Events of one session on their way to the bus: in order, each after the write it rests on.

What is told of an entity cannot be taken back. So it leaves only when it is saved, and whoever was
told holds what the store holds, even if the processor is killed right then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from gevent.event import AsyncResult

Write: TypeAlias = "AsyncResult[Any]"


class Outbox:
    """Nothing waits in it while the store keeps up."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Write | None, Callable[[], None]]] = deque()

    def put(self, publish: Callable[[], None], write: Write | None = None) -> None:
        """Publish after all that waits, and after `write`; never if that fails."""
        if not self._waiting and (write is None or write.successful()):
            publish()
            return
        self._waiting.append((write, publish))
        if write is not None and not write.ready():
            write.rawlink(self._let_go)
        self._let_go()

    def wait(self) -> None:
        """Wait until everything has left."""
        while self._waiting:
            write, _ = self._waiting[0]
            if write is not None:
                write.wait()
            self._let_go()

    def _let_go(self, _: object = None) -> None:
        waiting = self._waiting
        while waiting and ((write := waiting[0][0]) is None or write.ready()):
            _, publish = waiting.popleft()
            if write is None or write.successful():
                publish()
