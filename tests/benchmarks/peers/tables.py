"""The tables of the result."""

from collections.abc import Iterator, Sequence

from deploy.bench.table import table
from tests.benchmarks.peers import figures
from tests.benchmarks.peers.runs import Figure, Runs
from tests.benchmarks.peers.targets import Target
from tests.benchmarks.peers.tui import GIVEN_UP_S
from tests.benchmarks.peers.work import BY_EVENTS, BY_READERS

_NONE = "-"


def all_tables(runs: Runs, targets: Sequence[Target]) -> str:
    """Return every table that has a row, each under its heading."""
    parts = [f"## Targets\n\n{_targets(targets)}"]
    parts += [f"## {heading}\n\n{shown}" for heading, shown in _measured(runs) if shown]
    if failures := _failures(runs):
        parts.append(f"## Without figures\n\n{failures}")
    return "\n\n".join(parts)


def _targets(targets: Sequence[Target]) -> str:
    head = ["what", "median (least to most)", "to reach", "verdict"]
    return table(head, [target.row for target in targets])


def _measured(runs: Runs) -> Iterator[tuple[str, str]]:
    for work in runs.works("steady"):
        readers, per_second = work.removeprefix("steady-").split("x")
        heading = f"Steady: {int(readers):,} readers, {int(per_second):,} events/s"
        yield heading, _rows(runs, work, _STEADY)
    for heading, works in (("readers of 10 events/s", BY_READERS), ("events/s to 100", BY_EVENTS)):
        found = [name for name in works if runs.peers(name)]
        if len(found) > 1:
            shown = _by_work(runs, found, figures.delivery_us, 1)
            yield f"CPU µs a delivery, by {heading}", shown
            yield f"p99 ms, by {heading}", _by_work(runs, found, figures.p99, 1)
    for work in runs.works("idle"):
        yield f"Idle: {int(work.removeprefix('idle-')):,} readers", _rows(runs, work, _IDLE)
    if storms := runs.works("storm"):
        yield (
            "Storms: seconds until the last reader has all the text",
            _by_work(runs, storms, figures.last_s, 2),
        )
        yield (
            "Health p99 in storms, ms",
            _by_work(runs, storms, figures.probed("health", "load"), 1),
        )
        yield (
            "The same before the storm, ms",
            _by_work(runs, storms, figures.probed("health", "idle"), 1),
        )
        yield (
            "`GET /session` p99 in storms, ms",
            _by_work(runs, storms, figures.probed("list", "load"), 1),
        )
        yield (
            "Memory by which the server grew in storms, MB",
            _by_work(runs, storms, figures.grown_mb, 0),
        )
        stalled = [name for name in storms if "+" in name]
        yield (
            "Stalled readers that are still open",
            _by_work(runs, stalled, figures.stalled_open, 0),
        )
        yield "CPU of the server in a storm, s", _by_work(runs, storms, figures.storm_cpu, 2)
        yield (
            "Load generator in storms, % of one processor",
            _by_work(runs, storms, figures.storm_generator, 0),
        )
    if terminals := runs.works("tui"):
        yield (
            f"Seconds until a terminal shows the end; {GIVEN_UP_S:g}: given up",
            _by_work(runs, terminals, figures.tui, 1),
        )
    if runs.works("bus"):
        yield "Bus: events a second from process to process", _bus(runs)


_STEADY: dict[str, tuple[Figure, int]] = {
    "p50 ms": (figures.p50, 2),
    "p99 ms": (figures.p99, 2),
    "p99.9 ms": (figures.p999, 2),
    "server CPU s": (figures.cpu, 2),
    "CPU µs a delivery": (figures.delivery_us, 1),
    "of workers": (figures.fan_out_us, 1),
    "load generator %": (figures.generator, 0),
}
_IDLE: dict[str, tuple[Figure, int]] = {
    "KB a reader": (figures.kb, 1),
    "CPU s in 10 s": (figures.idle_cpu, 2),
    "of workers": (figures.idle_workers, 2),
    "without readers": (figures.alone, 2),
}


def _rows(runs: Runs, work: str, columns: dict[str, tuple[Figure, int]]) -> str:
    rows = [
        [peer, *(_cell(runs, peer, work, *column) for column in columns.values())]
        for peer in runs.peers(work)
    ]
    return table(["server", *columns], rows)


def _by_work(runs: Runs, works: Sequence[str], figure: Figure, digits: int) -> str:
    peers = dict.fromkeys(peer for work in works for peer in runs.peers(work))
    rows = [[peer, *(_cell(runs, peer, work, figure, digits) for work in works)] for peer in peers]
    rows = [row for row in rows if set(row[1:]) != {_NONE}]
    if not rows:
        return ""
    kind = works[0].partition("-")[0]
    return table(["", *(work.removeprefix(f"{kind}-") for work in works)], rows)


def _bus(runs: Runs) -> str:
    [first, *_] = [run.bus for run in runs.all if run.bus] or [{}]
    rows = [[way, _cell(runs, "bus", "bus", figures.bus_rate(way), 0)] for way in first or {}]
    return table(["way", "events/s"], rows)


def _failures(runs: Runs) -> str:
    found = (f"- {run.peer}, {run.work}: {run.failed}" for run in runs.all if run.failed)
    return "\n".join(dict.fromkeys(found))


def _cell(runs: Runs, peer: str, work: str, figure: Figure, digits: int) -> str:
    spread = runs.spread(peer, work, figure)
    return _NONE if spread is None else spread.shown(digits)
