"""The command; see the package."""

import argparse
import sys
from pathlib import Path

from tests.benchmarks.child import ended_by_sigterm
from tests.benchmarks.peers import registry, result, work
from tests.benchmarks.peers.measuring import Sizes, measured

RESULTS = Path(__file__).parents[1]
_FULL = Sizes(rounds=3, deltas=30_000, seconds=8.0, idle_s=10.0, storm_s=120.0, bus_events=100_000)
_QUICK = Sizes(rounds=1, deltas=3_000, seconds=3.0, idle_s=3.0, storm_s=60.0, bus_events=30_000)


def main() -> int:
    """Measure, print the tables, and write them where asked; return 1 if a run has failed."""
    parser = _parser()
    options = parser.parse_args()
    ended_by_sigterm()
    peers = registry.chosen(options.only, options.beside)
    try:
        works = work.chosen(options.work, options.quick)
    except ValueError as error:
        parser.error(
            f"--work: {error} is no work; allowed are {', '.join(work.FULL)}, and {work.SIZED}"
        )
    sizes = _sizes(options)
    runs = measured(peers, works, sizes, options.json)
    text = result.text(runs, peers, sizes)
    print(text)
    is_whole = not (options.quick or options.only or options.work or options.beside)
    if folder := options.write or (RESULTS if is_whole else None):
        result.write(folder, text, runs)
    return int(any(run.failed for run in runs.all))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.peers", description="weir beside its peers"
    )
    parser.add_argument("--quick", action="store_true", help="one round, small sizes")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*registry.PEERS],
        default=[],
        help="servers",
        metavar="NAME",
    )
    parser.add_argument(
        "--work",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"{', '.join(work.FULL)}; {work.SIZED}",
    )
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--deltas", type=int, help="of one storm")
    parser.add_argument("--seconds", type=float, help="of steady and of idle work")
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="FOLDER",
        help="a checkout of another weir, to measure too",
    )
    parser.add_argument(
        "--json",
        type=Path,
        help="a file for all figures, added to as they come; what it holds already is shown too",
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FOLDER",
        help="for RESULTS.md and curves; a run of everything writes beside the benchmarks",
    )
    return parser


def _sizes(options: argparse.Namespace) -> Sizes:
    usual = _QUICK if options.quick else _FULL
    return Sizes(
        rounds=options.rounds or usual.rounds,
        deltas=options.deltas or usual.deltas,
        seconds=options.seconds or usual.seconds,
        idle_s=options.seconds or usual.idle_s,
        storm_s=usual.storm_s,
        bus_events=usual.bus_events,
        quick=options.quick,
        every_pair=bool(options.only and options.work),
    )


if __name__ == "__main__":
    sys.exit(main())
