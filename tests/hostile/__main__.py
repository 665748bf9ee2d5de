"""``python -m tests.hostile``: every attack, and a table of what was noticed.

A run of five minutes has 24,000 generated requests. A run of a quarter of an hour
(``--seconds 900``) has every attack at its full size, and 100,000 generated requests.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator

from deploy.bench.table import table
from tests.benchmarks import machine
from tests.benchmarks.child import ended_by_sigterm
from tests.hostile.attack import NATIVE, RELAY, Attack, runs
from tests.hostile.judge import LONG, SHORT, USUAL, Bounds, Verdict, judge
from tests.hostile.stage import stage

_ALL_AT_FULL_SIZE_S = 900.0
_HEAD = ["attack", "load", "health p99 ms", "readers p99 ms", "memory MB", "verdict"]


def main() -> int:
    """Run the attacks; return the exit status."""
    ended_by_sigterm()
    options = _options()
    print(f"hostile: seed {options.seed}; {machine.described()}\n", flush=True)
    verdicts = []
    for verdict in _verdicts(options, time.monotonic() + options.seconds):
        verdicts.append(verdict)
        print(f"{verdict.run}: {_word(verdict)}", flush=True)
    print(f"\n{table(_HEAD, [_row(verdict) for verdict in verdicts])}\n")
    failed = [verdict for verdict in verdicts if verdict.wrong]
    for verdict in failed:
        for what in verdict.wrong:
            print(f"hostile: WRONG (seed {options.seed}): {verdict.run}: {what}")
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="attack weir, and watch its good clients")
    parser.add_argument("names", nargs="*", help="of attacks; default: all")
    parser.add_argument("--mode", choices=(NATIVE, RELAY), help="default: both")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--seconds", type=float, default=300.0, help="begin no attack after that")
    parser.add_argument("--small", action="store_true", help="the sizes of the tests")
    return parser.parse_args()


def _verdicts(options: argparse.Namespace, until: float) -> Iterator[Verdict]:
    left = [run for run in runs(*options.names) if options.mode in (None, run.needs[0])]
    bounds = _bounds(options)
    while left and time.monotonic() < until:
        needs = left[0].needs
        with stage(*needs) as on:
            while left and left[0].needs == needs and time.monotonic() < until:
                run = left.pop(0)
                verdict = judge(on, run, _size(run.attack, bounds), options.seed, bounds)
                yield verdict
                if verdict.hard:
                    break  # what is left of this weir judges no other attack
    for run in left:
        print(f"{run}: no time left", flush=True)


def _bounds(options: argparse.Namespace) -> Bounds:
    if options.small:
        return SHORT
    return LONG if options.seconds >= _ALL_AT_FULL_SIZE_S else USUAL


def _size(attack: Attack, bounds: Bounds) -> int:
    if bounds is SHORT:
        return attack.small
    return attack.full if bounds is LONG else attack.usual or attack.full


def _word(verdict: Verdict) -> str:
    return "; ".join(verdict.wrong) or "no harm"


def _row(verdict: Verdict) -> list[str]:
    before, during = verdict.before, verdict.during
    return [
        str(verdict.run),
        verdict.load,
        f"{before.health_p99:.1f} / {during.health_p99:.1f}",
        f"{before.readers_p99:.1f} / {during.readers_p99:.1f}",
        " / ".join(f"{mb:.0f}" for mb in verdict.memory_mb),
        "HARM" if verdict.wrong else "ok",
    ]


if __name__ == "__main__":
    sys.exit(main())
