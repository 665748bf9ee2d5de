"""The result as a document."""

import platform
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from bus.process.version import installed_version
from deploy.bench.table import table
from tests.benchmarks import machine
from tests.benchmarks.peers import curves, nchan, registry, tables, venv
from tests.benchmarks.peers.measuring import DELTA_SIZE, Sizes
from tests.benchmarks.peers.runs import Runs
from tests.benchmarks.peers.targets import targets
from tests.opencode.install import VERSION


def text(runs: Runs, peers: Iterable[str], sizes: Sizes) -> str:
    """Return everything in Markdown."""
    loads = sorted(run.load for run in runs.all) or [0.0]
    head = [
        "# weir beside its peers",
        "`make bench-peers` writes this page. Read ratios: seconds depend on the machine.",
        f"{machine.described()}; {platform.machine()}, Linux {platform.release()}; load before a "
        f"run: {loads[0]:.1f} to {loads[-1]:.1f}; {_rounds(runs)}, "
        f"the work in turn through each server{', quick sizes' if sizes.quick else ''}. Storms: "
        f"{sizes.deltas:,} deltas of {DELTA_SIZE} characters; steady work: {sizes.seconds:g} s. "
        "A figure is the median of the rounds, with the least and the most in brackets; a ratio "
        "is taken within each round.",
        _servers(runs, peers),
    ]
    return "\n\n".join([*head, tables.all_tables(runs, targets(runs))]) + "\n"


def write(folder: Path, words: str, runs: Runs) -> None:
    """Write the document and its curves into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = curves.draw(folder, runs)
    (folder / "RESULTS.md").write_text(f"{words}\n{drawn}\n")


def _rounds(runs: Runs) -> str:
    """Return how many rounds there were; some work may have had more than other work."""
    counts = Counter((run.peer, run.work) for run in runs.all).values() or [0]
    least, most = min(counts), max(counts)
    words = f"{least} to {most}" if least < most else f"{most}"
    return f"{words} round{'s'[: most > 1]}"


def _servers(runs: Runs, peers: Iterable[str]) -> str:
    missing = {run.peer: run.failed for run in runs.all if run.failed and run.is_missing}
    versions = {
        "weir": installed_version(),
        "opencode": VERSION,
        "nchan": nchan.version(),
        "sse-starlette": ", ".join(venv.SSE_STARLETTE).replace("==", " "),
    }
    rows = []
    for name in peers:
        of = "weir" if name in ("weir-0", "relay", "relay-0") else name
        said = f"MISSING: {missing[name]}" if name in missing else versions.get(of, "")
        rows.append([name, registry.ABOUT[name], said])
    return table(["server", "", "version"], rows)
