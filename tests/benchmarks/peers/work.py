"""The work that goes through each server, by name."""

import re
from typing import Literal

from msgspec import Struct

Kind = Literal["storm", "steady", "idle", "tui", "bus"]
_STORM = re.compile(r"storm-([1-9]\d*)(?:\+(\d+))?")
_STEADY = re.compile(r"steady-([1-9]\d*)x([1-9]\d*)")
_IDLE = re.compile(r"idle-([1-9]\d*)")
_TUI = re.compile(r"tui-(storm|rate)-([1-9]\d*)")
_TUI_SCRIPTS = {"storm": "storm {} 40", "rate": "rate 300 {} 40"}
SIZED = "storm-READERS[+STALLED], steady-READERSxPER_SECOND, idle-READERS, tui-storm|rate-DELTAS"


class Work(Struct, frozen=True):
    """One work.

    Attributes:
        name: ``storm-50``, ``storm-1+50`` (50 of them stalled), ``steady-100x10`` (readers, events
            a second), ``idle-1000``, ``tui-storm-5000`` (deltas), ``bus``.
        stalled: readers that read nothing.
        per_second: events of steady work.
        script: of the model, for a terminal.
    """

    name: str
    kind: Kind
    readers: int = 0
    stalled: int = 0
    per_second: int = 0
    script: str = ""


def work(name: str) -> Work:
    """Read the name of a work; `ValueError` if it is none."""
    if match := _STORM.fullmatch(name):
        return Work(name, "storm", int(match[1]), int(match[2] or 0))
    if match := _STEADY.fullmatch(name):
        return Work(name, "steady", int(match[1]), per_second=int(match[2]))
    if match := _IDLE.fullmatch(name):
        return Work(name, "idle", int(match[1]))
    if match := _TUI.fullmatch(name):
        return Work(name, "tui", 1, script=_TUI_SCRIPTS[match[1]].format(match[2]))
    if name == "bus":
        return Work(name, "bus")
    raise ValueError(name)


BY_READERS = tuple(f"steady-{readers}x10" for readers in (1, 10, 100, 1000))
BY_EVENTS = tuple(f"steady-100x{per_second}" for per_second in (1, 10, 100, 1000))
FULL = {
    "steady": ("steady-100x100", "steady-1000x10"),
    "idle": ("idle-1000", "idle-10000"),
    "storm": ("storm-1", "storm-10", "storm-50", "storm-200", "storm-500", "storm-1000"),
    "stalled": ("storm-1+50",),
    "relay": ("steady-1x100",),
    "growth": (*BY_READERS, *BY_EVENTS),
    "tui": ("tui-rate-1500", "tui-storm-5000", "tui-storm-30000"),
    "bus": ("bus",),
}
"""The names of groups, and what is in each."""

QUICK = ("steady", "idle-1000", "storm-1", "storm-50", "bus")


def chosen(names: list[str], quick: bool) -> list[Work]:
    """Return the work of some names, which may be groups, each once; all if there is no name."""
    wanted = names or (list(QUICK) if quick else list(FULL))
    sized = [one for name in wanted for one in FULL.get(name, (name,))]
    return [work(name) for name in dict.fromkeys(sized)]
