"""The figures of a storm as tables, and held against the targets."""

import statistics
from collections.abc import Callable, Sequence

from msgspec import Struct

from tests.benchmarks.figures import Figures
from tests.benchmarks.process_tree import MEMORY_IS
from tests.benchmarks.table import table

TIME_RATIO = 3.0
HEALTH_RATIO = 10.0
STALLED_MB = 20.0


class Target(Struct):
    """A figure to reach, and what was measured."""

    what: str
    limit: float
    measured: float
    reached: bool

    def __str__(self) -> str:
        verdict = "reached" if self.reached else "NOT REACHED"
        return f"- {self.what}: {self.measured:.2f}, to reach: {self.limit:g} or less: {verdict}"


def tables(measured: Sequence[Figures]) -> str:
    """Return what was measured, a table for each side of it."""
    return "\n\n".join(make(measured) for make in (_times, _health, _memory, _cpu))


def targets(measured: Sequence[Figures]) -> list[Target]:
    """Return the targets that the scenarios can tell of."""
    by_name = {one.name: one for one in measured}
    one, fifty, stalled = (by_name.get(name) for name in ("1", "50", "1+50"))
    found = []
    if one and fifty:
        ratio = fifty.last_s / one.last_s
        found.append(_target("time of 50 readers / time of 1", TIME_RATIO, ratio))
    if fifty:
        ratio = fifty.load.p99 / fifty.idle.p99
        found.append(_target("health p99 with 50 readers / idle", HEALTH_RATIO, ratio))
    if one and stalled:
        added = stalled.growth_mb - one.growth_mb
        found.append(_target("MB that 50 stalled readers add", STALLED_MB, added))
    return found


def _target(what: str, limit: float, measured: float) -> Target:
    return Target(what, limit, measured, measured <= limit)


def _times(measured: Sequence[Figures]) -> str:
    one = next((m.last_s for m in measured if m.name == "1"), None)
    rows = []
    for m in measured:
        times = sorted(r.last_s for r in m.rounds)
        ratio = "-" if one is None else f"{m.last_s / one:.2f}"
        rows.append(
            [
                m.name,
                f"{m.last_s:.3f}",
                f"{times[0]:.3f} to {times[-1]:.3f}",
                f"{statistics.median(r.median_s for r in m.rounds):.3f}",
                ratio,
                f"{statistics.median(r.bytes for r in m.rounds) / 1e6:.2f}",
                f"{statistics.median(r.frames for r in m.rounds):,.0f}",
                f"{m.stalled_open} of {m.stalled}",
                f"{statistics.median(r.yardstick_ms for r in m.rounds):.0f}",
            ]
        )
    head = ["readers", "last has all s", "least to most", "median reader s", "/ 1 reader"]
    head += ["MB a reader", "frames a reader", "stalled still open", "yardstick ms"]
    about = "yardstick: a fixed piece of work, done before each storm; the machine's own pace"
    return f"{table(head, rows)}\n\n({about})"


def _health(measured: Sequence[Figures]) -> str:
    rows = []
    for m in measured:
        idle, load = m.idle, m.load
        rows.append(
            [
                m.name,
                f"{idle.p50:.2f}",
                f"{idle.p99:.2f}",
                f"{idle.count}",
                f"{load.p50:.2f}",
                f"{load.p99:.2f}",
                f"{load.max:.2f}",
                f"{load.count}",
                f"{load.p99 / idle.p99:.1f}",
                f"{load.sent_p99:.2f}",
            ]
        )
    head = ["health ms", "idle p50", "idle p99", "n", "load p50", "load p99", "load max", "n"]
    return table([*head, "p99 load / idle", "load p99 from sent"], rows)


def _memory(measured: Sequence[Figures]) -> str:
    def cells(name: str) -> Callable[[Figures], str]:
        def show(m: Figures) -> str:
            figures = (m.before_mb[name], m.peak_mb[name], m.after_mb[name])
            return " / ".join(f"{mb:.0f}" for mb in figures)

        return show

    names = list(measured[0].before_mb)
    head = [f"{MEMORY_IS} MB", *names, "growth of total"]
    rows = [[m.name, *(cells(name)(m) for name in names), f"{m.growth_mb:.1f}"] for m in measured]
    about = "before any reader / peak of one more storm / a second after; total: all of weir"
    return f"{table(head, rows)}\n\n({about})"


def _cpu(measured: Sequence[Figures]) -> str:
    names = list(measured[0].rounds[0].cpu_s)
    rows = [
        [
            m.name,
            *(f"{statistics.median(r.cpu_s[name] for r in m.rounds):.2f}" for name in names),
        ]
        for m in measured
    ]
    about = "the system counts in steps of 0.01 s; others: no part of this benchmark"
    return f"{table(['CPU s a storm', *names], rows)}\n\n({about})"
