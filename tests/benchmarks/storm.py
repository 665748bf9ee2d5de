"""``python -m tests.benchmarks.storm``: one fast model, many readers, some of them stalled.

A scripted provider streams 30,000 deltas of 40 characters as fast as it can through a fresh
``weir up``, once a round. Readers, provider, probes and weir share the processors of one machine.
"""

import sys

import msgspec

from tests.benchmarks import machine, report
from tests.benchmarks.audience import Scenario, WrongText
from tests.benchmarks.child import ended_by_sigterm
from tests.benchmarks.figures import Figures, Storm
from tests.benchmarks.scenario import measure
from tests.benchmarks.storm_options import parser

SCENARIOS = ("1", "50", "500", "1+50", "50+50")


def main() -> int:
    """Measure every scenario, print the tables, and return 1 if a target is missed."""
    options = parser("a storm of deltas through weir up", SCENARIOS).parse_args()
    ended_by_sigterm()
    storm = Storm(options.deltas, options.size, options.rounds)
    where = machine.described()
    measured: list[Figures] = []
    for scenario in options.scenario or map(Scenario.parse, SCENARIOS):
        print(f"{scenario} readers …", file=sys.stderr, flush=True)
        try:
            measured.append(measure(scenario, storm))
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


if __name__ == "__main__":
    sys.exit(main())
