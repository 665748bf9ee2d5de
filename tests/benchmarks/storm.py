"""``python -m tests.benchmarks.storm``: one fast model, many readers, some of them stalled.

A scripted provider streams 30,000 deltas of 40 characters as fast as it can through a fresh
``weir up``, once a round. Readers, provider, probes and weir share the processors of one machine.
"""

import argparse
import sys
from pathlib import Path

import msgspec

from tests.benchmarks import machine, report
from tests.benchmarks.child import ended_by_sigterm
from tests.benchmarks.figures import Figures, Storm
from tests.benchmarks.scenario import Scenario, WrongText

SCENARIOS = ("1", "50", "500", "1+50", "50+50")


def main() -> int:
    """Measure every scenario, print the tables, and return 1 if a target is missed."""
    options = _options()
    ended_by_sigterm()
    storm = Storm(options.deltas, options.size, options.rounds)
    where = machine.described()
    measured: list[Figures] = []
    for scenario in options.scenario or map(Scenario.parse, SCENARIOS):
        print(f"{scenario} readers …", file=sys.stderr, flush=True)
        try:
            measured.append(scenario.run(storm))
        except WrongText as error:
            print(f"{scenario} readers: {error}", file=sys.stderr)
            return 1
    print(f"{where}; {storm.deltas:,} deltas of {storm.size} characters, ", end="")
    print(f"{storm.rounds} storms each\n\n{report.tables(measured)}\n")
    targets = report.targets(measured)
    print("\n".join(str(target) for target in targets))
    if options.json:
        result = {"machine": where, "storm": storm, "scenarios": measured, "targets": targets}
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    return 0 if all(target.reached for target in targets) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="a storm of deltas through weir up")
    parser.add_argument("--rounds", type=int, default=3, help="storms in each scenario")
    parser.add_argument("--deltas", type=int, default=30_000, help="in one storm")
    parser.add_argument("--size", type=int, default=40, help="characters of a delta, 9 or more")
    parser.add_argument(
        "--scenario",
        type=Scenario.parse,
        action="append",
        metavar="FAST[+STALLED]",
        help=f"readers; may be repeated; default: {', '.join(SCENARIOS)}",
    )
    parser.add_argument("--json", type=Path, help="a file for all figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
