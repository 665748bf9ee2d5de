"""What goes wrong with which connection, and after how many bytes: all of it follows from a seed.

A *lane* is one reader's way through the proxy; its connections follow each other, so seed, lane
and attempt name a connection on every run alike.
"""

import math
import random
from typing import NamedTuple

KINDS = (
    *("latency", "trickle", "black hole", "reset", "reset", "close", "close"),
    *("half-close to reader", "half-close to server"),
)
"""Reset and close are drawn twice as often: they are what networks do most."""

ENDS = ("black hole", "reset", "close", "half-close to reader")
"""Those after which nothing passes any more."""

_SECONDS = {
    "latency": (0.01, 0.2),
    "trickle": (0.2, 2.0),
    "black hole": (0.2, 3.0),
    "half-close to reader": (0.2, 3.0),
}
_AT_ONCE = 0.05

Bits = tuple[float, float]
"""Bounds of how many bytes pass before a fault, as powers of two."""

BITS: Bits = (6, 21)


class Fault(NamedTuple):
    """What happens to one connection.

    Attributes:
        kind: one of `KINDS`.
        after_bytes: so many bytes of the answer pass before it happens.
        seconds: how late each piece comes (latency), or how long it lasts.
        spared_bytes: so many more pass before the connection is reset, where it is not over.
    """

    kind: str
    after_bytes: int
    seconds: float
    spared_bytes: float = math.inf

    def __str__(self) -> str:
        return f"{self.kind} after {self.after_bytes} bytes ({self.seconds:.2f} s)"


NONE = Fault("none", 0, 0.0)


def fault(seed: int, lane: int, attempt: int, bits: Bits = BITS) -> Fault:
    """Return what happens to connection `attempt` (from 0) of a lane."""
    draw = random.Random(f"{seed}/{lane}/{attempt}")
    kind = draw.choice(KINDS)
    # By orders of magnitude: as many cuts in the head as in the depth of a storm.
    after = 0 if draw.random() < _AT_ONCE else int(2 ** draw.uniform(*bits))
    seconds = draw.uniform(*_SECONDS.get(kind, (0.0, 0.0)))
    return Fault(kind, after, seconds, int(2 ** draw.uniform(*bits)))
