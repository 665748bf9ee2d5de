"""The flags that the benchmarks of storms have in common."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.audience import Scenario


def parser(description: str, scenarios: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser of those flags; `scenarios` are measured unless others are asked for."""
    flags = argparse.ArgumentParser(description=description)
    flags.add_argument("--rounds", type=int, default=3, help="storms in each scenario")
    flags.add_argument("--deltas", type=int, default=30_000, help="in one storm")
    flags.add_argument("--size", type=int, default=40, help="characters of a delta, 9 or more")
    flags.add_argument(
        "--scenario",
        type=Scenario.parse,
        action="append",
        metavar="FAST[+STALLED]",
        help=f"readers; may be repeated; default: {', '.join(scenarios)}",
    )
    flags.add_argument("--json", type=Path, help="a file for all figures")
    return flags
