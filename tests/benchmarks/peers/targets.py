"""What weir is to reach beside its peers, and what it reaches."""

from collections.abc import Iterator

from msgspec import Struct

from tests.benchmarks import bus
from tests.benchmarks.peers import figures
from tests.benchmarks.peers.runs import Runs, Spread

PER_READER_S, WIDE = "steady-100x100", "steady-1000x10"


class Target(Struct):
    """A row of the table of targets.

    Attributes:
        limit: not to be passed, or to be reached, as `at_least` says; None where the figure only
            stands beside another.
    """

    what: str
    measured: Spread | None
    limit: float | None
    at_least: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None where there is no figure or no target."""
        if self.measured is None or self.limit is None:
            return None
        if self.at_least:
            return self.measured.median >= self.limit
        return self.measured.median <= self.limit

    @property
    def row(self) -> list[str]:
        """The row of the table."""
        shown = "-" if self.measured is None else self.measured.shown(2)
        if self.limit is None:
            return [self.what, shown, "-", "beside: it may hold deltas back"]
        words = {True: "reached", False: "NOT REACHED", None: "not measured"}
        sign = "≥" if self.at_least else "≤"
        return [self.what, shown, f"{sign} {self.limit:g}", words[self.reached]]


def targets(runs: Runs, weir: str = "weir") -> list[Target]:
    """Return every target, measured or not; `weir` is the name of the weir to judge."""
    return [*_steady(runs), *_idle(runs, weir), *_storm(runs, weir), *_other(runs)]


def _steady(runs: Runs) -> Iterator[Target]:
    rows = (
        (PER_READER_S, "100 readers, 100/s: p99", "nchan", figures.p99, 1.5),
        (PER_READER_S, "the same, server CPU", "nchan", figures.cpu, 2),
        (PER_READER_S, "the same, p99", "sse-starlette", figures.p99, 0.5),
        (PER_READER_S, "the same, server CPU", "sse-starlette", figures.cpu, 0.4),
        (WIDE, "1,000 readers, 10/s: p99", "nchan", figures.p99, 1.5),
    )
    for work, name, peer, figure, limit in rows:
        for weir, flags in (("weir-0", "`--frame-hz 0`"), ("weir", "default")):
            ratio = runs.ratio((weir, work), (peer, work), figure)
            is_paced = weir == "weir" and figure is figures.p99
            yield Target(f"{name}, {flags} ÷ {peer}", ratio, None if is_paced else limit)
    for work, name in ((PER_READER_S, "100 readers, 100/s"), (WIDE, "1,000 readers, 10/s")):
        ratio = runs.ratio(("weir-0", work), ("floor", work), figures.fan_out_us)
        yield Target(f"worker CPU a delivery ÷ bare send loop, {name}", ratio, 3)


def _idle(runs: Runs, weir: str) -> Iterator[Target]:
    yield Target("idle, KB a reader", runs.spread(weir, "idle-1000", figures.kb), 8)
    cpu = runs.spread(weir, "idle-10000", figures.idle_workers)
    yield Target("idle, 10,000 readers: CPU s of the one worker in 10 s", cpu, 0.2)


def _storm(runs: Runs, weir: str) -> Iterator[Target]:
    fifty, opencode = (weir, "storm-50"), ("opencode", "storm-50")
    ratio = runs.ratio(opencode, fifty, figures.last_s)
    yield Target("storm, 50 readers: opencode ÷ weir", ratio, 25, at_least=True)
    ratio = runs.ratio((weir, "storm-500"), (weir, "storm-1"), figures.last_s)
    yield Target("storm: 500 readers ÷ 1 reader", ratio, 3)
    load, idle = figures.probed("health", "load"), figures.probed("health", "idle")
    ratio = runs.ratio(opencode, fifty, load)
    yield Target("health p99 in the storm of 50: opencode ÷ weir", ratio, 500, at_least=True)
    ratio = runs.ratio(fifty, fifty, load, idle)
    yield Target("health p99 in the storm of 50 ÷ idle", ratio, 10)


def _other(runs: Runs) -> Iterator[Target]:
    behind, alone = ("relay-0", "steady-1x100"), ("opencode", "steady-1x100")
    added = runs.difference(behind, alone, figures.p50)
    yield Target("relay, 100 deltas/s, `--frame-hz 0`: added p50 ms", added, 1.5)
    yield Target("the same: added p99 ms", runs.difference(behind, alone, figures.p99), 5)
    for script, name, limit in (
        ("rate-1500", "paced answer", 0.5),
        ("storm-5000", "burst of 5,000", 1),
        ("storm-30000", "burst of 30,000", 1),
    ):
        ratio = runs.ratio(("relay", f"tui-{script}"), ("opencode", f"tui-{script}"), figures.tui)
        yield Target(f"until the TUI shows the end, behind weir ÷ direct: {name}", ratio, limit)
    of, to = figures.bus_rate(bus.ONE.name), figures.bus_rate(bus.BARE.name)
    ratio = runs.ratio(("bus", "bus"), ("bus", "bus"), of, to)
    yield Target("bus, one event a turn ÷ bare pyzmq + msgspec", ratio, 0.7, at_least=True)
