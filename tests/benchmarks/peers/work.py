"""The work that goes through each server, by name."""

import re
from typing import Literal

from msgspec import Struct

Kind = Literal["storm", "steady", "idle", "bus"]
_SIZED = re.compile(r"storm-(\d+)(?:\+(\d+))?|steady-(\d+)x(\d+)|idle-(\d+)|bus()")


class Work(Struct, frozen=True):
    """One work.

    Attributes:
        name: ``storm-50``, ``storm-1+50`` (50 of them stalled), ``steady-100x10`` (readers, events
            a second), ``idle-1000``, ``bus``.
        stalled: readers that read nothing.
        per_second: events of steady work.
    """

    name: str
    kind: Kind
    readers: int = 0
    stalled: int = 0
    per_second: int = 0


def work(name: str) -> Work:
    """Read the name of a work; `ValueError` if it is none."""
    match = _SIZED.fullmatch(name)
    if match is None:
        raise ValueError(name)
    fast, stalled, readers, per_second, idle, _ = match.groups()
    if fast is not None:
        return Work(name, "storm", int(fast), int(stalled or 0))
    if readers is not None:
        return Work(name, "steady", int(readers), per_second=int(per_second))
    return Work(name, "bus") if idle is None else Work(name, "idle", int(idle))


FULL = {
    "steady": ("steady-100x100", "steady-1000x10"),
    "idle": ("idle-1000", "idle-10000"),
    "storm": ("storm-1", "storm-10", "storm-50", "storm-200", "storm-500", "storm-1000"),
    "stalled": ("storm-1+50",),
    "relay": ("steady-1x100",),
    "growth": (
        *(f"steady-{readers}x10" for readers in (1, 10, 100, 1000)),
        *(f"steady-100x{per_second}" for per_second in (1, 10, 100, 1000)),
    ),
    "bus": ("bus",),
}
"""The names of groups, and what is in each."""

QUICK = ("steady", "idle-1000", "storm-1", "storm-50", "bus")


def chosen(names: list[str], quick: bool) -> list[Work]:
    """Return the work of some names, which may be groups, each once; all if there is no name."""
    wanted = names or (list(QUICK) if quick else list(FULL))
    sized = [one for name in wanted for one in FULL.get(name, (name,))]
    return [work(name) for name in dict.fromkeys(sized)]
