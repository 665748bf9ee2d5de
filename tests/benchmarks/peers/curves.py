"""The curves of the result: what they show is gathered here, and drawn by `draw_curves`."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.peers import figures
from tests.benchmarks.peers.peer import Missing
from tests.benchmarks.peers.runs import Figure, Runs
from tests.benchmarks.peers.venv import MATPLOTLIB, python_with
from tests.benchmarks.peers.work import BY_EVENTS, BY_READERS

_SCRIPT = Path(__file__).parent / "outside" / "draw_curves.py"
_READERS = list(zip((1, 10, 100, 1000), BY_READERS, strict=True))
_EVENTS = list(zip((1, 10, 100, 1000), BY_EVENTS, strict=True))
_STORMS = [(count, f"storm-{count}") for count in (1, 10, 50, 200, 500, 1000)]
_IDLE = [(count, f"idle-{count}") for count in (1000, 10000)]


def draw(folder: Path, runs: Runs) -> str:
    """Draw the curves into a folder; return the Markdown that shows them, or why there is none."""
    found = [curve for curve in _curves(runs) if curve["lines"]]
    try:
        python = python_with(MATPLOTLIB)
    except Missing as error:
        return f"There are no curves: {error}"
    subprocess.run(
        [str(python), str(_SCRIPT), str(folder)], input=json.dumps(found).encode(), check=True
    )
    return "\n".join(f"![{one['title']}]({one['file']})" for one in found)


def _curves(runs: Runs) -> list[dict[str, Any]]:
    events, readers = "events a second to 100 readers", "readers of 10 events a second"
    return [
        _curve(
            runs,
            "storms.png",
            "Storm: s until the last has all",
            "readers",
            _STORMS,
            figures.last_s,
        ),
        _curve(runs, "readers.png", "CPU µs a delivery", readers, _READERS, figures.delivery_us),
        _curve(runs, "events.png", "CPU µs a delivery", events, _EVENTS, figures.delivery_us),
        _curve(runs, "delays.png", "p99 ms", readers, _READERS, figures.p99),
        _curve(runs, "idle.png", "KB an idle reader", "readers", _IDLE, figures.kb),
    ]


def _curve(
    runs: Runs, file: str, title: str, x: str, works: Sequence[tuple[int, str]], figure: Figure
) -> dict[str, Any]:
    peers = dict.fromkeys(peer for _, work in works for peer in runs.peers(work))
    lines: dict[str, list[tuple[int, float]]] = {}
    for peer in peers:
        points = [(size, runs.spread(peer, work, figure)) for size, work in works]
        line = [(size, spread.median) for size, spread in points if spread]
        if len(line) > 1:
            lines[peer] = line
    return {"file": file, "title": title, "x": x, "lines": lines}
