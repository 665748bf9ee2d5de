"""The servers that can be measured, by name."""

from functools import partial
from pathlib import Path

from tests.benchmarks.peers.agents import before, native, opencode
from tests.benchmarks.peers.floor import control, floor
from tests.benchmarks.peers.nchan import nchan
from tests.benchmarks.peers.peer import Start
from tests.benchmarks.peers.sse_starlette import sse_starlette
from tests.benchmarks.peers.work import FULL, Work

BESIDE = "beside"
ABOUT = {
    "weir": "natively, with its defaults",
    "weir-0": "natively, with `--frame-hz 0`",
    "relay": "weir in front of the opencode",
    "relay-0": "the same with `--frame-hz 0`",
    "opencode": "by itself",
    "nchan": "in nginx, one worker",
    "sse-starlette": "under uvicorn, one process",
    "floor": "a bare loop of non-blocking sends in Python: what no server in Python is below",
    "control": "the floor playing the answers itself: what the load generator alone adds",
    BESIDE: "another commit of weir, natively, with its defaults",
}
PEERS: dict[str, Start] = {
    "weir": native,
    "weir-0": lambda flags: native(["--frame-hz", "0", *flags]),
    "relay": before,
    "relay-0": lambda flags: before(["--frame-hz", "0", *flags]),
    "opencode": opencode,
    "nchan": nchan,
    "sse-starlette": sse_starlette,
    "floor": floor,
    "control": control,
}
_AGENTS = ("relay", "opencode")
_MOST_BEFORE_OPENCODE = 50
"""Readers of a storm behind weir: more of them change nothing for the opencode."""


def chosen(names: list[str], beside: Path | None) -> dict[str, Start]:
    """Return the servers of some names, all if there is no name, and another weir."""
    peers = {name: start for name, start in PEERS.items() if not names or name in names}
    if beside is not None:
        peers[BESIDE] = partial(native, path=beside.absolute())
    return peers


def does(name: str, work: Work, quick: bool = False) -> bool:
    """Tell whether a server does a work: what says nothing new is left out."""
    if work.name in FULL["relay"]:
        return name in (*_AGENTS, "relay-0")
    if work.kind == "tui":
        return name in _AGENTS
    if name == "relay-0":
        return False
    if work.kind == "steady":
        plain = ("weir-0", "nchan", "sse-starlette", "floor", BESIDE)
        return name in plain or (work.name in FULL["steady"] and name != "relay")
    if work.kind == "idle":
        return name not in ("weir-0", "relay", "control")
    if quick:
        return name not in ("weir-0", "relay", "floor", "control")
    if name == "relay":
        return work.readers <= _MOST_BEFORE_OPENCODE
    return name != "weir-0" and (name != "control" or work.name in ("storm-50", "storm-1000"))


def flags(work: Work) -> list[str]:
    """Return what weir needs for a work."""
    if work.kind == "idle" and work.readers > 4096:
        return ["--workers", "1", "--max-readers", str(work.readers + 1000)]
    return []
