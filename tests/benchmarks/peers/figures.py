"""The figures that tables and targets are made of."""

from tests.benchmarks.memory import PROVIDER
from tests.benchmarks.peers.runs import Figure, Run


def p50(run: Run) -> float | None:
    """Median delay of a delta, in ms."""
    return run.steady.delays.p50 if run.steady else None


def p99(run: Run) -> float | None:
    """99th percentile of the delay of a delta, in ms."""
    return run.steady.delays.p99 if run.steady else None


def p999(run: Run) -> float | None:
    """99.9th percentile of the delay of a delta, in ms."""
    return run.steady.delays.p999 if run.steady else None


def cpu(run: Run) -> float | None:
    """CPU of the server in steady work, in seconds."""
    return run.steady.server_s if run.steady else None


def delivery_us(run: Run) -> float | None:
    """CPU of all of the server for one delta at one reader, in µs."""
    return run.steady.server_s / run.steady.delays.deliveries * 1e6 if run.steady else None


def fan_out_us(run: Run) -> float | None:
    """CPU of the processes that write to readers, for one delta at one reader, in µs."""
    return run.steady.fan_out_s / run.steady.delays.deliveries * 1e6 if run.steady else None


def generator(run: Run) -> float | None:
    """Share of one processor that the load generator took, in percent."""
    return run.steady.generator_s / run.steady.seconds * 100 if run.steady else None


def last_s(run: Run) -> float | None:
    """Seconds until the last reader has all of a storm."""
    return run.storm.last_s if run.storm else None


def storm_generator(run: Run) -> float | None:
    """Share of one processor that the load generator took in a storm, in percent."""
    if not run.storm:
        return None
    return run.storm.cpu_s["readers"] / run.storm.last_s * 100


def storm_cpu(run: Run) -> float | None:
    """CPU of the server in a storm, in seconds."""
    if not run.storm:
        return None
    mine = {"readers", "probers", "benchmark", "others", PROVIDER}
    return sum(used for group, used in run.storm.cpu_s.items() if group not in mine)


def probed(what: str, when: str, part: str = "p99") -> Figure:
    """Return a figure of the probes of a storm, in ms; `when` is ``idle`` or ``load``."""

    def figure(run: Run) -> float | None:
        found = getattr(run.storm, when).get(what) if run.storm else None
        return getattr(found, part) if found and found.count else None

    return figure


def grown_mb(run: Run) -> float | None:
    """By how much the memory of the server grew in a storm, in MB."""
    if not run.storm or not run.storm.peak_mb:
        return None
    return run.storm.peak_mb["total"] - run.storm.before_mb["total"]


def stalled_open(run: Run) -> float | None:
    """Stalled readers whose streams are open after the storms."""
    return run.storm.stalled_open if run.storm else None


def kb(run: Run) -> float | None:
    """Memory of an idle reader, in KB."""
    return run.idle.kb if run.idle else None


def idle_cpu(run: Run) -> float | None:
    """CPU of the server in 10 s of idle readers, in seconds."""
    return run.idle.cpu_s if run.idle else None


def idle_workers(run: Run) -> float | None:
    """CPU of the processes that hold readers, in 10 s of idle readers, in seconds."""
    return run.idle.workers_s if run.idle else None


def alone(run: Run) -> float | None:
    """CPU of the server in 10 s without any reader, in seconds."""
    return run.idle.alone_s if run.idle else None


def tui(run: Run) -> float | None:
    """Seconds until a terminal shows the end of an answer."""
    return run.tui


def bus_rate(way: str) -> Figure:
    """Return the events a second of one way over the bus."""
    return lambda run: (run.bus or {}).get(way)
