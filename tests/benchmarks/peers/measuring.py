"""All rounds: in each, every work goes through every server in turn."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from deploy.bench.crowd import CrowdFailed
from tests.benchmarks import bus
from tests.benchmarks.peers import registry
from tests.benchmarks.peers.idle import idle
from tests.benchmarks.peers.peer import Missing, Peer, Start
from tests.benchmarks.peers.runs import Run, Runs
from tests.benchmarks.peers.steady import Lost, steady
from tests.benchmarks.peers.storm import Storm, WrongText, storms
from tests.benchmarks.peers.work import Work

DELTA_SIZE = 40
_FAILURES = (Missing, CrowdFailed, Lost, WrongText, OSError, RuntimeError, EOFError)


class Sizes(Struct, frozen=True):
    """How much of everything.

    Attributes:
        deltas: of a storm.
        seconds: of steady work.
        idle_s: for which idle readers are watched.
        storm_s: after which a storm is given up.
    """

    rounds: int
    deltas: int
    seconds: float
    idle_s: float
    storm_s: float
    bus_events: int


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
        for work in works:
            if work.kind == "bus":
                yield _bus(number, sizes)
                continue
            for name, start in peers.items():
                if registry.does(name, work):
                    yield _run(name, start, work, number, sizes, missing)


def _run(
    name: str, start: Start, work: Work, number: int, sizes: Sizes, missing: dict[str, str]
) -> Run:
    run = Run(name, work.name, number, os.getloadavg()[0])
    if name in missing:
        run.failed, run.is_missing = missing[name], True
        return run
    try:
        with start(registry.flags(work)) as peer:
            _measure(run, peer, work, sizes)
    except _FAILURES as error:
        run.failed = str(error) or type(error).__name__
        if isinstance(error, Missing):
            missing[name], run.is_missing = run.failed, True
    return run


def _measure(run: Run, peer: Peer, work: Work, sizes: Sizes) -> None:
    if work.kind == "storm":
        storm = Storm(sizes.deltas, DELTA_SIZE, 1, sizes.storm_s)
        run.storm = storms(peer, work, storm)
    elif work.kind == "steady":
        run.steady = steady(peer, work, sizes.seconds)
    else:
        run.idle = idle(peer, work, sizes.idle_s)


def _bus(number: int, sizes: Sizes) -> Run:
    load = os.getloadavg()[0]
    rows = (bus.BARE, bus.STORM, bus.ONE)
    rates = {row.name: bus.run(row, sizes.bus_events, DELTA_SIZE).rate for row in rows}
    return Run("bus", "bus", number, load, bus=rates)
