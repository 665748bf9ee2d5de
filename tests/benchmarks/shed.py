"""``python -m tests.benchmarks.shed``: what readers that take nothing cost those who read.

So many each that never read, read 1 KB a second, vanish behind a cut cable, and half-close and
stay. Five that read at once follow 200 events a second. Needs the right to make a network
namespace.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from deploy.bench.table import table
from tests.benchmarks import machine
from tests.benchmarks.child import ended_by_sigterm
from tests.blackbox.bad_readers import BadReaders, delays_ms
from tests.blackbox.counted import Counted, counted
from tests.blackbox.namespace import Namespace, NoNamespace, namespace

STALL_S = 15.0


def main() -> int:
    """Measure and print a table; return 1 where there can be no namespace."""
    parser = argparse.ArgumentParser(description="readers that take nothing, beside those who do")
    parser.add_argument("--each", type=int, default=200, help="of each kind")
    each = parser.parse_args().each
    ended_by_sigterm()
    flags = ("--stall-timeout", str(STALL_S), "--heartbeat-ms", "5000")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="weir-bench-") as folder,
            namespace() as cable,
            counted(Path(folder), *flags, host="0.0.0.0") as weir,
        ):
            rows = _measured(weir, cable, each)
    except NoNamespace as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{machine.described()}; {each} of each bad kind; --stall-timeout {STALL_S:g}\n")
    print(table(["readers", "fast readers' p99 ms", "worker MB", "fds", "greenlets"], rows))
    return 0


def _measured(weir: Counted, cable: Namespace, each: int) -> list[list[str]]:
    rows = [_row(weir, "5 fast", delays_ms(weir))]
    with BadReaders(weir, cable, each) as bad:
        rows.append(_row(weir, f"and {3 * each} with nothing to send yet", delays_ms(weir)))
        bad.stall()
        rows.append(_row(weir, f"while {3 * each} are sent 3 MB each", delays_ms(weir)))
        rows.append(_row(weir, f"and {2 * each} stalled, {each} slow", delays_ms(weir)))
        weir.settled("the end of the dead", 3 * STALL_S, readers=each)
        rows.append(_row(weir, f"the dead gone after {bad.stalled_s():.1f} s", delays_ms(weir)))
    weir.settled("the end of the slow", readers=0)
    return [*rows, _row(weir, "5 fast", delays_ms(weir))]


def _row(weir: Counted, who: str, p99_ms: float) -> list[str]:
    said = weir.census()
    memory_mb = weir.memory_mb()
    return [who, f"{p99_ms:.1f}", f"{memory_mb:.0f}", f"{said['fds']}", f"{said['greenlets']}"]


if __name__ == "__main__":
    sys.exit(main())
