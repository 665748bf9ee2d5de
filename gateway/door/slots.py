"""Registers the connections that wait for their client, and ends some if there are too many.

1. A connection waits for its client in one of two ways. It is *idle* while it waits for a head,
   and *stuck* while a request waits for more of its body, or for the client to take its answer.
   Event streams are neither: `gateway.streams.shedding` checks them.
2. Every wait has an end. `sweep` ends the waits that are over.
3. The number of idle connections is bounded, and a few connections can always be accepted. Past
   the bound, the connections that have waited longest are ended, first those of the client address
   with the most waiting connections. A connection that has waited less than `GRACE_S` is not
   ended.
4. The number of requests served at once is bounded. Past the bound a stuck request is ended, or
   the new request is refused. Health checks are always served.
5. Few connections are ended at once: each end takes as much time as a request, and the event loop
   serves no other client meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

from gateway.proxy.failures import Refusal

GRACE_S = 1.0
_MOST_AT_ONCE = 64
_KEPT_SHARE = 8
_MOST_KEPT = 64


class Holder(Protocol):
    """A connection, as `Slots` sees it.

    Attributes:
        address: the address of the client; clients behind the same proxy have the same address.
    """

    address: str

    def has_unread(self) -> bool:
        """Return whether the client has sent bytes that are not received yet."""

    def give_up(self, wait: Wait, why: str) -> None:
        """End one of the connection's waits for the reason `why`; does not block."""


class Wait:
    """A connection that waits for its client; the object is used again for its next wait.

    Attributes:
        holder: the connection.
        since: when the present wait began (`time.monotonic()`).
        until: when the present wait has to end (`time.monotonic()`).
    """

    __slots__ = ("holder", "since", "until")

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.since = self.until = 0.0


class _Queue:
    """Waiting connections by the client's address; of each address, the longest wait first."""

    def __init__(self) -> None:
        self.count = 0
        self._of: dict[str, dict[Wait, None]] = {}

    def __iter__(self) -> Iterator[Wait]:
        return (one for some in self._of.values() for one in some)

    def add(self, one: Wait) -> None:
        self._of.setdefault(one.holder.address, {})[one] = None
        self.count += 1

    def remove(self, one: Wait) -> None:
        address = one.holder.address
        some = self._of.get(address)
        if some is None or one not in some:
            return
        del some[one]
        self.count -= 1
        if not some:
            del self._of[address]

    def first_to_go(self) -> Wait | None:
        if not self._of:
            return None
        heaviest: dict[Wait, None] = max(self._of.values(), key=len)
        return next(iter(heaviest))


class Slots:
    """Counts the connections of one worker, and ends some if there are too many.

    Args:
        connections: how many connections there may be.
        requests: how many requests may be served at once, without event streams; also how many
            connections may be idle (wait for a request).

    Attributes:
        on_room: called each time a connection has ended; must not block.
        closing: how many connections wait for their client to close them, after the last answer.
    """

    def __init__(self, connections: int, requests: int) -> None:
        self._connections = connections
        self._kept = min(_MOST_KEPT, max(1, requests // _KEPT_SHARE))
        self._requests = max(1, requests - self._kept)
        self._most_idle = requests
        self.on_room: list[Callable[[], None]] = []
        self.closing = 0
        self._open = self._served = 0
        self._ending: set[Holder] = set()
        self._idle, self._stuck = _Queue(), _Queue()

    def come(self) -> None:
        """Count a new connection; if the limit is near, end connections that wait."""
        self._open += 1
        self.make_room()

    def leave(self, holder: Holder) -> None:
        """Count that a connection has ended."""
        self._open -= 1
        self._ending.discard(holder)
        self._room()

    def leave_unserved(self) -> None:
        """Count that a connection has ended of which no `Holder` was made."""
        self._open -= 1
        self._room()

    def _room(self) -> None:
        for accept_again in self.on_room:
            accept_again()

    @property
    def full(self) -> bool:
        """Whether there are as many connections as allowed."""
        return self._open >= self._connections

    def wait(self, one: Wait, within_s: float, idle: bool) -> None:
        """Register that a connection waits for its client, for `within_s` at most.

        Args:
            one: the wait of the connection.
            within_s: after this time (s) `sweep` ends the wait.
            idle: the connection waits for a request, not in the middle of one.
        """
        one.since = time.monotonic()
        one.until = one.since + within_s
        (self._idle if idle else self._stuck).add(one)

    def go_on(self, one: Wait, idle: bool) -> None:
        """Note that the client has sent or taken bytes, so its connection waits no longer."""
        (self._idle if idle else self._stuck).remove(one)

    def begin(self, is_probe: bool) -> None:
        """Count a request that is being served from now on.

        Args:
            is_probe: the request is a health check, which is served beyond the limit.

        Raises:
            Refusal: too many requests are being served, and none of them waits for its client.
        """
        if not is_probe and self._served >= self._requests and not self._let_go(self._stuck):
            raise Refusal(
                503,
                f"this worker already serves {self._requests} requests, which is its limit; "
                "try again in a second",
            )
        self._served += 1

    def end(self) -> None:
        """Count that a request is no longer being served."""
        self._served -= 1

    def unread(self) -> bool:
        """Return whether an idle connection's client has sent bytes that are not received yet."""
        return any(one.holder.has_unread() for one in self._idle)

    @contextmanager
    def closing_gently(self) -> Iterator[None]:
        """Return a context manager in whose block a connection counts as `closing`."""
        self.closing += 1
        try:
            yield
        finally:
            self.closing -= 1

    def make_room(self) -> None:
        """End connections that have waited longer than `GRACE_S`, until few enough are left."""
        short = self._open - len(self._ending) + self._kept - self._connections
        short = min(max(short, self._idle.count - self._most_idle), _MOST_AT_ONCE)
        while short > 0 and (self._let_go(self._idle) or self._let_go(self._stuck)):
            short -= 1

    def sweep(self) -> None:
        """End the waits that have reached their time limit; to be called often."""
        now = time.monotonic()
        for queue in (self._idle, self._stuck):
            over = (one for one in queue if one.until <= now)
            for one in list(islice(over, _MOST_AT_ONCE)):
                self._give_up(queue, one, "the client sent or took nothing for too long")

    def _let_go(self, queue: _Queue) -> bool:
        one = queue.first_to_go()
        if one is None or time.monotonic() - one.since < GRACE_S:
            return False
        self._give_up(
            queue,
            one,
            "the worker had too many connections, and this one waited for its client",
        )
        return True

    def _give_up(self, queue: _Queue, one: Wait, why: str) -> None:
        queue.remove(one)
        self._ending.add(one.holder)
        one.holder.give_up(one, why)
