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
from tests.benchmarks.peers.steady import steady
from tests.benchmarks.peers.storm import Storm, stormed
from tests.benchmarks.peers.tui import shown
from tests.benchmarks.peers.work import Work

DELTA_SIZE = 40


class TooSlow(Exception):
    """A storm is not tried, since the server was too slow for as many readers before."""


class Sizes(Struct, frozen=True):
    """How much of everything.

    Attributes:
        deltas: of a storm.
        seconds: of steady work.
        idle_s: for which idle readers are watched.
        storm_s: after which a storm is given up.
        quick: whether works of a kind share a server, and memory is not watched.
        every_pair: whether every server does every work, also where that says nothing new.
    """

    rounds: int
    deltas: int
    seconds: float
    idle_s: float
    storm_s: float
    bus_events: int
    quick: bool = False
    every_pair: bool = False


def measured(
    peers: Mapping[str, Start], works: Sequence[Work], sizes: Sizes, log: Path | None
) -> Runs:
    """Return all runs, after those that are in the file `log` already.

    Each is added to that file as a line of JSON when it is over.
    """
    runs = []
    if log is not None and log.exists():
        runs = msgspec.json.Decoder(Run).decode_lines(log.read_bytes())
    before = max((run.round for run in runs), default=0)
    for run in _Rounds(peers, sizes).runs(works, before):
        runs.append(run)
        words = run.failed and f": {run.failed}"
        print(f"round {run.round}: {run.work}, {run.peer}{words}", file=sys.stderr, flush=True)
        if log is not None:
            with log.open("ab") as out:
                out.write(msgspec.json.encode(run) + b"\n")
    return Runs(runs)


class _Rounds:
    """All rounds, and what the first has shown to be of no use in a later one."""

    def __init__(self, peers: Mapping[str, Start], sizes: Sizes) -> None:
        self._peers = peers
        self._sizes = sizes
        self._missing: dict[str, str] = {}
        self._too_many: dict[str, int] = {}

    def runs(self, works: Sequence[Work], before: int) -> Iterator[Run]:
        """Yield every run; rounds are counted on from `before`."""
        for number in range(before + 1, before + self._sizes.rounds + 1):
            for group in _groups(works, self._sizes.quick):
                if group[0].kind == "bus":
                    yield _bus(number, self._sizes)
                    continue
                for name in self._peers:
                    if mine := [work for work in group if self._is_wanted(name, work)]:
                        yield from self._at(name, mine, number)

    def _is_wanted(self, name: str, work: Work) -> bool:
        return self._sizes.every_pair or registry.does(name, work, self._sizes.quick)

    def _at(self, name: str, works: Sequence[Work], number: int) -> Iterator[Run]:
        """Yield the runs of some works at one server; a failure ends them."""
        left = [Run(name, work.name, number, 0.0) for work in works]
        try:
            if name in self._missing:
                raise Missing(self._missing[name])
            if works[0].kind == "storm":
                self._see_use(name, works[0])
            with self._peers[name](registry.flags(works[0])) as peer:
                for work in works:
                    left[0].load = os.getloadavg()[0]
                    self._measure(left[0], peer, work)
                    yield left.pop(0)
        except Exception as error:  # a failure of one server must not end the others' work
            if isinstance(error, Missing):
                self._missing[name] = str(error)
            for run in left:
                run.failed = str(error) or type(error).__name__
                run.is_missing = name in self._missing
                yield run

    def _see_use(self, name: str, work: Work) -> None:
        if work.readers >= self._too_many.get(name, work.readers + 1):
            raise TooSlow(f"not tried: {self._too_many[name]} readers were too many before")

    def _measure(self, run: Run, peer: Peer, work: Work) -> None:
        sizes = self._sizes
        if work.kind == "storm":
            watched = run.round == 1 and not sizes.quick
            try:
                run.storm = stormed(
                    peer, work, Storm(sizes.deltas, DELTA_SIZE, sizes.storm_s, watched)
                )
            except CrowdFailed:
                self._too_many.setdefault(run.peer, work.readers)
                raise
        elif work.kind == "steady":
            run.steady = steady(peer, work, sizes.seconds)
        elif work.kind == "tui":
            run.tui = shown(peer, work)
        else:
            run.idle = idle(peer, work, sizes.idle_s)


def _groups(works: Sequence[Work], shared: bool) -> list[list[Work]]:
    """Return the works that one server does after its start."""
    if not shared:
        return [[work] for work in works]
    groups: dict[tuple[str, ...], list[Work]] = {}
    for work in works:
        groups.setdefault((work.kind, *registry.flags(work)), []).append(work)
    return list(groups.values())


def _bus(number: int, sizes: Sizes) -> Run:
    load = os.getloadavg()[0]
    rows = (bus.BARE, bus.STORM, bus.ONE)
    rates = {row.name: bus.run(row, sizes.bus_events, DELTA_SIZE).rate for row in rows}
    return Run("bus", "bus", number, load, bus=rates)
