"""``python -m tests.benchmarks.bus``: the bus against a bare pyzmq + msgspec loop.

Two processes over ``ipc://``. Both ends of every row have no high-water mark, so nothing is
dropped and the slower end sets the pace. A rate is events over the time from the first send to
the last event decoded; rows take turns, so that what else the machine does hits all alike.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import zmq

from deploy.bench.table import table
from tests.benchmarks import bus_sender, machine
from tests.benchmarks.child import child, ended_by_sigterm
from tests.benchmarks.payload import deltas

DEADLINE_S = 60.0


class Row(NamedTuple):
    """One way to bring events from one process to another."""

    name: str
    send: Callable[..., None]
    batch: int
    receiver: str
    sockets: str


class Measured(NamedTuple):
    """One run: events a second, and CPU time of each end in microseconds an event."""

    rate: float
    sender_us: float
    receiver_us: float


BARE = Row("bare loop", bus_sender.bare, 1, "bare", "plain")
STORM = Row("weir, 100 a turn", bus_sender.weir, 100, "weir", "plain")
ONE = Row("weir, 1 a turn", bus_sender.weir, 1, "weir", "plain")
GREEN = Row("bare loop, green receiver", bus_sender.bare, 1, "bare", "green")
ROWS = (BARE, STORM, ONE, GREEN)
TARGETS = {STORM: 1.0, ONE: 0.7}


def main() -> int:
    """Measure every row, print the table, and return 1 if a target is missed."""
    options = _options()
    ended_by_sigterm()
    print(f"{machine.described()}; {options.events:,} deltas of {options.size} characters,")
    print(f"median of {options.rounds} rounds, HWM 0 at both ends, every event received\n")
    runs: dict[str, list[Measured]] = {row.name: [] for row in ROWS}
    for _ in range(options.rounds):
        for row in ROWS:
            runs[row.name].append(run(row, options.events, options.size))
    print(_table(runs))
    bare = _median_rate(runs[BARE.name])
    ratios = {row.name: _median_rate(runs[row.name]) / bare for row in TARGETS}
    print()
    for row, least in TARGETS.items():
        ratio = ratios[row.name]
        verdict = "reached" if ratio >= least else "not reached"
        print(f"{row.name} / {BARE.name}: {ratio:.2f}, to reach: {least} or more: {verdict}")
    if options.json:
        figures = {name: [m._asdict() for m in measured] for name, measured in runs.items()}
        options.json.write_text(json.dumps({"ratios": ratios, "runs": figures}, indent=1))
    return 0 if all(ratios[row.name] >= least for row, least in TARGETS.items()) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="events/s of the bus")
    parser.add_argument("--events", type=int, default=100_000, help="in one run")
    parser.add_argument("--size", type=int, default=40, help="characters of a delta")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each row")
    parser.add_argument("--json", type=Path, help="a file for all figures")
    return parser.parse_args()


def run(row: Row, count: int, size: int) -> Measured:
    """Have events pass once; every one must arrive."""
    events = deltas(count, size)
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        address = f"ipc://{folder}/events"
        command = ("tests.benchmarks.bus_receiver", address, row.receiver, row.sockets)
        with zmq.Context() as context, context.socket(zmq.XPUB) as socket:
            # XPUB is a PUB that tells of subscriptions.
            socket.set(zmq.SNDHWM, 0)
            socket.set(zmq.LINGER, 0)
            socket.bind(address)
            with child("-m", *command) as receiver:
                receiver.hear(DEADLINE_S)
                if not socket.poll(int(DEADLINE_S * 1000)):
                    raise TimeoutError("nobody subscribed")
                cpu_s, start_ns = time.process_time(), time.monotonic_ns()
                row.send(socket, events, row.batch)
                told = receiver.hear(DEADLINE_S)
                cpu_s = time.process_time() - cpu_s
    if told["received"] != count:
        raise RuntimeError(f"{row.name}: {told['received']} of {count} events were received")
    seconds = (told["last_ns"] - start_ns) / 1e9
    return Measured(count / seconds, cpu_s / count * 1e6, told["cpu_s"] / count * 1e6)


def _table(runs: dict[str, list[Measured]]) -> str:
    bare = _median_rate(runs[BARE.name])
    rows = []
    for name, measured in runs.items():
        rates = sorted(one.rate for one in measured)
        rate = statistics.median(rates)
        rows.append(
            [
                name,
                f"{rate:,.0f}",
                f"{rates[0]:,.0f} to {rates[-1]:,.0f}",
                f"{rate / bare:.2f}",
                f"{statistics.median(one.sender_us for one in measured):.1f}",
                f"{statistics.median(one.receiver_us for one in measured):.1f}",
            ]
        )
    head = ["way", "events/s", "least to most", "/ bare", "CPU µs sender", "CPU µs receiver"]
    return table(head, rows)


def _median_rate(measured: list[Measured]) -> float:
    return statistics.median(one.rate for one in measured)


if __name__ == "__main__":
    sys.exit(main())
