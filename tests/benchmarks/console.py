"""``python -m tests.benchmarks.console``: what the console weighs, and what it costs.

Bytes of the page and its files, the time until a person can use it, and the memory of a worker
with the console closed, open beside steady work, and closed again.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from deploy.bench.table import table
from tests.benchmarks import machine
from tests.benchmarks.child import ended_by_sigterm
from tests.blackbox.weir_up import Up, prompt, weir_up
from tests.chromium import Visit, chromium, heap_bytes, visit

TIMES = 5
READY = "#try, .connection.on, .card canvas"
_WEIGHT = """() => {
  const all = ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
    .filter(({ name }) => name.includes("/weir/console"));
  const sum = (what) => all.reduce((total, one) => total + one[what], 0);
  return [all.length, sum("transferSize"), sum("decodedBodySize")];
}"""


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="what the console weighs, and what it costs")
    parser.add_argument("--seconds", type=float, default=20, help="of each state of memory")
    seconds = parser.parse_args().seconds
    ended_by_sigterm()
    with (
        tempfile.TemporaryDirectory(prefix="weir-bench-") as folder,
        chromium() as browser,
        weir_up(Path(folder), "--workers", "1") as up,
    ):
        rows = [*_pages(browser, up), *_memory(browser, up, seconds)]
    print(f"{machine.described()}; median of {TIMES}\n")
    print(table(["", "figure"], rows))
    return 0


def _pages(browser: Any, up: Up) -> list[list[str]]:
    cold: list[float] = []
    warm: list[float] = []
    for _ in range(TIMES):
        with visit(browser, up.url) as person:
            tab, took = _opened(person)
            files, sent, whole = tab.evaluate(_WEIGHT)
            cold.append(took)
            person.leave()
            warm.append(_opened(person)[1])
    return [
        ["files", str(files)],
        ["sent, in gzip and with headers", f"{sent / 1000:.0f} KB"],
        ["the same as they are", f"{whole / 1000:.0f} KB"],
        ["time to interactive, first visit", f"{median(cold):.0f} ms"],
        ["time to interactive, later visits", f"{median(warm):.0f} ms"],
    ]


def _opened(person: Visit) -> tuple[Any, float]:
    """Open the page; returns the tab, and when a prompt can be typed and the stream is live."""
    tab = person.open(until="commit")
    for selector in READY.split(", "):
        tab.wait_for_selector(selector, state="attached")
    return tab, float(tab.evaluate("performance.now()"))


def _memory(browser: Any, up: Up, seconds: float) -> list[list[str]]:
    session = up.session("/srv/load")
    up.call("POST", f"/session/{session}/prompt_async", prompt(f"rate 100 {int(300 * seconds)}"))
    rows = [["worker, console closed", _worker(up, seconds)]]
    with visit(browser, up.url) as person:
        tab = person.open()
        rows.append(["worker, console open", _worker(up, seconds)])
        rows.append(["the page's scripts", f"{heap_bytes(tab) / 1e6:.1f} MB"])
    return [*rows, ["worker, console closed again", _worker(up, seconds)]]


def _worker(up: Up, seconds: float) -> str:
    time.sleep(seconds)
    [worker] = up.call("GET", "/weir/status?readers=0").body["workers"]
    return f"{worker['memory_bytes'] / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
