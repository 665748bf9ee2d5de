"""All rounds: in each, every work goes through every server in turn."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from tests.benchmarks import bus
from tests.benchmarks.peers import registry
from tests.benchmarks.peers.idle import idle
from tests.benchmarks.peers.peer import Missing, Peer, Start
from tests.benchmarks.peers.runs import Run, Runs
from tests.benchmarks.peers.steady import steady
from tests.benchmarks.peers.storm import Storm, stormed
from tests.benchmarks.peers.tui import shown
from tests.benchmarks.peers.work import Work

DELTA_SIZE = 40


class Sizes(Struct, frozen=True):
    """How much of everything.

    Attributes:
        deltas: of a storm.
        seconds: of steady work.
        idle_s: for which idle readers are watched.
        storm_s: after which a storm is given up.
        quick: whether works of a kind share a server, and memory is not watched.
    """

    rounds: int
    deltas: int
    seconds: float
    idle_s: float
    storm_s: float
    bus_events: int
    quick: bool = False


def measured(
    peers: Mapping[str, Start], works: Sequence[Work], sizes: Sizes, log: Path | None
) -> Runs:
    """Return all runs; each is added to the file `log` as a line of JSON when it is over."""
    runs = []
    for run in _runs(peers, works, sizes):
        runs.append(run)
        words = run.failed and f": {run.failed}"
        print(f"round {run.round}: {run.work}, {run.peer}{words}", file=sys.stderr, flush=True)
        if log is not None:
            with log.open("ab") as out:
                out.write(msgspec.json.encode(run) + b"\n")
    return Runs(runs)


def _runs(peers: Mapping[str, Start], works: Sequence[Work], sizes: Sizes) -> Iterator[Run]:
    missing: dict[str, str] = {}
    for number in range(1, sizes.rounds + 1):
        for group in _groups(works, sizes.quick):
            if group[0].kind == "bus":
                yield _bus(number, sizes)
                continue
            for name, start in peers.items():
                mine = [work for work in group if registry.does(name, work, sizes.quick)]
                if mine:
                    yield from _at(name, start, mine, number, sizes, missing)


def _groups(works: Sequence[Work], shared: bool) -> list[list[Work]]:
    """Return the works that one server does after its start."""
    if not shared:
        return [[work] for work in works]
    groups: dict[tuple[str, ...], list[Work]] = {}
    for work in works:
        groups.setdefault((work.kind, *registry.flags(work)), []).append(work)
    return list(groups.values())


def _at(
    name: str,
    start: Start,
    works: Sequence[Work],
    number: int,
    sizes: Sizes,
    missing: dict[str, str],
) -> Iterator[Run]:
    """Yield the runs of some works at one server; a failure ends them."""
    left = [Run(name, work.name, number, 0.0) for work in works]
    try:
        if name in missing:
            raise Missing(missing[name])
        with start(registry.flags(works[0])) as peer:
            for work in works:
                left[0].load = os.getloadavg()[0]
                _measure(left[0], peer, work, sizes)
                yield left.pop(0)
    except Exception as error:  # whatever befalls one server, the others are measured
        if isinstance(error, Missing):
            missing[name] = str(error)
        for run in left:
            run.failed, run.is_missing = str(error) or type(error).__name__, name in missing
            yield run


def _measure(run: Run, peer: Peer, work: Work, sizes: Sizes) -> None:
    if work.kind == "storm":
        storm = Storm(sizes.deltas, DELTA_SIZE, sizes.storm_s, watched=not sizes.quick)
        run.storm = stormed(peer, work, storm)
    elif work.kind == "steady":
        run.steady = steady(peer, work, sizes.seconds)
    elif work.kind == "tui":
        run.tui = shown(peer, work)
    else:
        run.idle = idle(peer, work, sizes.idle_s)


def _bus(number: int, sizes: Sizes) -> Run:
    load = os.getloadavg()[0]
    rows = (bus.BARE, bus.STORM, bus.ONE)
    rates = {row.name: bus.run(row, sizes.bus_events, DELTA_SIZE).rate for row in rows}
    return Run("bus", "bus", number, load, bus=rates)
