"""``python -m tests.benchmarks.relay``: a real opencode alone, against the same behind weir.

A scripted provider streams 30,000 deltas of 40 characters as fast as it can through a fresh
opencode, once a round; then 100 a second for the delay of each. Clients, provider, opencode and
weir share the processors of one machine, and both ways are measured in one run, in turn.
"""

import argparse
import sys

import msgspec

from tests.benchmarks import machine
from tests.benchmarks.audience import Scenario, WrongText
from tests.benchmarks.child import ended_by_sigterm
from tests.benchmarks.figures import Storm
from tests.benchmarks.relay_latency import DELTAS, PER_SECOND, delays_ms
from tests.benchmarks.relay_scenario import Relayed, measure
from tests.benchmarks.relay_target import ALONE, BEHIND, OPENCODE, WEIR, target
from tests.benchmarks.storm_options import parser
from tests.benchmarks.table import table
from tests.opencode.install import OLD_VERSION, VERSION

SCENARIOS = ("1", "10", "50", "1+50")
ADDED_MS = 5.0


def main() -> int:
    """Measure every scenario both ways, print the tables; return 1 if a target is missed."""
    options = _options()
    ended_by_sigterm()
    names = [ALONE] if options.alone else [ALONE, BEHIND]
    storm = Storm(options.deltas, options.size, options.rounds)
    where = machine.described()
    measured: list[Relayed] = []
    for scenario in options.scenario or map(Scenario.parse, SCENARIOS):
        for name in names:
            print(f"{scenario} readers, {name} …", file=sys.stderr, flush=True)
            try:
                with target(name, options.version) as one:
                    measured.append(measure(name, one, scenario, storm))
            except WrongText as error:
                print(f"{scenario} readers, {name}: {error}", file=sys.stderr)
                return 1
    delays = {name: _delays(name, options) for name in names}
    print(f"{where}; opencode {options.version}; {storm.deltas:,} deltas of ", end="")
    print(f"{storm.size} characters, {storm.rounds} storms each\n\n{_storms(measured)}\n")
    if not options.alone:
        print(f"{_ratios(measured)}\n")
    print(_delay_table(delays))
    if options.json:
        result = {"machine": where, "storm": storm, "measured": measured, "delays_ms": delays}
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    return 0 if options.alone or _added_ms(delays) <= ADDED_MS else 1


def _options() -> argparse.Namespace:
    flags = parser("opencode alone against opencode behind weir", SCENARIOS)
    flags.add_argument("--version", choices=(VERSION, OLD_VERSION), default=VERSION)
    flags.add_argument("--alone", action="store_true", help="without weir")
    flags.add_argument("--delays", type=int, default=DELTAS, help="deltas whose delay is measured")
    return flags.parse_args()


def _delays(name: str, options: argparse.Namespace) -> tuple[float, float]:
    print(f"{PER_SECOND} deltas a second, {name} …", file=sys.stderr, flush=True)
    with target(name, options.version) as one:
        return delays_ms(one, options.delays)


def _storms(measured: list[Relayed]) -> str:
    rows = [
        [
            f"{m.readers} {m.target}",
            f"{m.median_s:.2f}",
            f"{min(m.last_s):.2f} to {max(m.last_s):.2f}",
            f"{m.health.p99:,.0f}",
            f"{m.health.max:,.0f}",
            f"{m.list.p99:,.0f}",
            f"{m.list.max:,.0f}",
            f"{m.grown_mb(OPENCODE):,.0f}",
            f"{m.grown_mb(WEIR):,.0f}",
            f"{m.stalled_open}",
        ]
        for m in measured
    ]
    head = ["readers", "last has all s", "least to most", "health p99 ms", "max", "list p99 ms"]
    head += ["max", "opencode grew MB", "weir grew MB", "stalled still open"]
    return table(head, rows)


def _ratios(measured: list[Relayed]) -> str:
    rows = []
    for alone, behind in zip(measured[::2], measured[1::2], strict=True):
        rows.append(
            [
                alone.readers,
                f"{alone.median_s / behind.median_s:.2f}",
                f"{alone.health.p99 / behind.health.p99:.1f}",
                f"{alone.list.p99 / behind.list.p99:.1f}",
                f"{alone.grown_mb(OPENCODE) / behind.grown_mb(OPENCODE):.1f}",
            ]
        )
    head = ["readers, alone / behind weir", "last has all", "health p99", "list p99"]
    return table([*head, "opencode grew"], rows)


def _delay_table(delays: dict[str, tuple[float, float]]) -> str:
    rows = [[name, f"{p50:.2f}", f"{p99:.2f}"] for name, (p50, p99) in delays.items()]
    shown = table([f"deltas, {PER_SECOND} a second", "delay p50 ms", "p99 ms"], rows)
    if BEHIND not in delays:
        return shown
    added = _added_ms(delays)
    verdict = "reached" if added <= ADDED_MS else "NOT REACHED"
    return f"{shown}\n\n- added p50: {added:.2f} ms, to reach: {ADDED_MS:g} or less: {verdict}"


def _added_ms(delays: dict[str, tuple[float, float]]) -> float:
    return delays[BEHIND][0] - delays[ALONE][0]


if __name__ == "__main__":
    sys.exit(main())
