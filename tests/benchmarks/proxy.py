"""``python -m tests.benchmarks.proxy``: the reverse proxy against the upstream asked directly.

Upstream, gateway and client are processes of their own. A download is read as fast as it comes;
a small request goes over a connection that is kept, direct and proxied in turns.
"""

import argparse
import http.client
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from deploy.bench.table import table
from tests.benchmarks import machine, process_tree
from tests.benchmarks.child import child, ended_by_sigterm
from tests.processes import free_port, wait_until

DEADLINE_S = 60.0
MEMORY_TARGET_MB = 20.0
SMALL = 100
_BUFFER_BYTES = 1 << 20
_WARM_UP = 50


class Way(NamedTuple):
    """One way to the upstream, and what was measured on it."""

    name: str
    port: int
    rates: list[float]
    latencies_ms: list[float]


def main() -> int:
    """Measure both ways, print the table, and return 1 if the worker's memory grows too much."""
    options = _options()
    ended_by_sigterm()
    size = options.megabytes * 1_000_000
    print(f"{machine.described()}; {options.megabytes} MB, {options.rounds} rounds\n")
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        log = Path(folder) / "gateway.log"
        with child("-m", "tests.benchmarks.proxy_upstream") as upstream, log.open("wb") as errors:
            direct = Way("direct", int(upstream.hear(DEADLINE_S)), [], [])
            through = Way("through weir", free_port(), [], [])
            command = ["-m", "gateway", "--bus", f"ipc://{folder}", "--workers", "1"]
            command += ["--port", str(through.port)]
            command += ["--upstream", f"http://127.0.0.1:{direct.port}"]
            with child(*command, stderr=errors) as gateway:
                wait_until(lambda: b"Listening at" in log.read_bytes(), DEADLINE_S)
                grown_mb = _measure((direct, through), gateway.pid, size, options)
    print(_table(direct, through))
    print(f"\nthe worker's memory grew by {grown_mb:.1f} MB, ", end="")
    print(f"to reach: {MEMORY_TARGET_MB:g} or less")
    return 0 if grown_mb <= MEMORY_TARGET_MB else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="throughput and latency of the proxy")
    parser.add_argument("--megabytes", type=int, default=500, help="of one download")
    parser.add_argument("--requests", type=int, default=2000, help="small ones, each way")
    parser.add_argument("--rounds", type=int, default=3, help="downloads each way")
    return parser.parse_args()


def _measure(ways: tuple[Way, ...], gateway: int, size: int, options: argparse.Namespace) -> float:
    for way in ways:
        _small(way.port, _WARM_UP)
    workers = [process.pid for process in process_tree.below(gateway)]
    before_mb = process_tree.memory_mb(workers)
    for _ in range(options.rounds):
        for way in ways:
            way.rates.append(_download(way.port, size))
            way.latencies_ms.extend(_small(way.port, options.requests // options.rounds))
    return process_tree.memory_mb(workers) - before_mb


def _download(port: int, size: int) -> float:
    """Read `size` bytes; returns MB/s."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    start = time.perf_counter()
    connection.request("GET", f"/{size}")
    response, left = connection.getresponse(), size
    while left and (count := response.readinto(buffer)):
        left -= count
    seconds = time.perf_counter() - start
    connection.close()
    if left:
        raise RuntimeError(f"{left} of {size} bytes are missing")
    return size / seconds / 1e6


def _small(port: int, count: int) -> list[float]:
    """Ask `count` times over one connection; returns the milliseconds of each."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    took = []
    for _ in range(count):
        start = time.perf_counter()
        connection.request("GET", f"/{SMALL}")
        connection.getresponse().read()
        took.append((time.perf_counter() - start) * 1000)
    connection.close()
    return took


def _table(direct: Way, through: Way) -> str:
    rows = []
    for way in (direct, through):
        rate = statistics.median(way.rates)
        p50 = statistics.median(way.latencies_ms)
        rows.append(
            [
                way.name,
                f"{rate:,.0f}",
                f"{rate / statistics.median(direct.rates):.2f}",
                f"{p50:.2f}",
                f"{statistics.quantiles(way.latencies_ms, n=100)[98]:.2f}",
                f"{p50 - statistics.median(direct.latencies_ms):.2f}",
            ]
        )
    return table(["way", "MB/s", "/ direct", "p50 ms", "p99 ms", "added p50 ms"], rows)


if __name__ == "__main__":
    sys.exit(main())
