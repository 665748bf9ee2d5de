"""The soak: ``python -m tests.faults.soak --seconds 600``.

A real `weir up` in front of a scripted model, readers who reach it through the fault proxy, and
users who prompt without a pause. Every answer must be held whole by every reader: as it is stored,
nothing missing, nothing twice. With ``--relay``, weir is in front of a server that runs the turns,
and reaches it through faults as well. With ``--small-stores``, all that weir remembers is full
within a minute. It prints what it saw. If anything is wrong it ends with status 1, and leaves what
weir logged in ``soak-SEED.log``.
"""

import argparse
import json
import random
import shutil
import sys
import time

import msgspec

from tests.benchmarks.child import child, ended_by_sigterm
from tests.fakes import small_stores
from tests.faults import stage
from tests.faults.plan import Plan, Seen
from tests.faults.samples import Samples
from tests.faults.weir_processes import Taken

_BEGIN_S = 180.0
_END_S = 180.0
_LEAVE_S = 60.0
_SPARE_DESCRIPTORS = 24  # kept by a server that has been used: database, provider's connections


def main() -> int:
    """Run one soak; return the exit status."""
    ended_by_sigterm()
    options = _options()
    print(f"soak: seed {options.seed}, {options.seconds:g} s", flush=True)
    begun = stage.relay if options.relay else stage.native
    path = small_stores.FOLDER if options.small_stores else None
    with begun(options.seed, options.readers, path) as on:
        if options.calm:
            on.calm()
        samples = Samples(on.weir)
        seen = _soak(_plan(options, on), samples)
        wrong = [seen.failure] if seen.failure else _wrong(samples, _left(samples))
        if not on.weir.is_whole:
            wrong.append("a process of weir has ended")
        _report(seen, samples, on.met())
        if wrong:
            print(f"what weir logged: {shutil.copy(on.weir.log, f'soak-{options.seed}.log')}")
    for what in wrong:
        print(f"soak: WRONG (seed {options.seed}): {what}")
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="soak weir behind a fault proxy")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--readers", type=int, default=24)
    parser.add_argument("--users", type=int, default=8, help="prompt at the same time")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--calm", action="store_true", help="no faults: weir and its load alone")
    parser.add_argument("--relay", action="store_true", help="weir in front of an upstream")
    parser.add_argument("--small-stores", action="store_true", help="they are full in a minute")
    return parser.parse_args()


def _plan(options: argparse.Namespace, on: stage.Stage) -> Plan:
    lanes, may_miss = on.readers.urls, on.upstream is not None
    return Plan(on.users_url, lanes, options.users, options.seconds, options.seed, may_miss)


def _soak(plan: Plan, samples: Samples) -> Seen:
    encoded = json.dumps(msgspec.to_builtins(plan))
    with samples, child("-m", "tests.faults.crowd", encoded) as crowd:
        crowd.hear(_BEGIN_S)
        try:
            return msgspec.convert(crowd.hear(plan.seconds + _END_S), Seen)
        except (EOFError, TimeoutError) as error:
            return Seen(failure=str(error))


def _left(samples: Samples) -> Taken:
    """Return what weir takes once the readers have gone, and their black holes have ended."""
    end = time.monotonic() + _LEAVE_S
    while _wrong(samples, left := samples.now()) and time.monotonic() < end:
        time.sleep(0.2)
    return left


def _wrong(samples: Samples, left: Taken) -> list[str]:
    """Return in words what weir has not given back."""
    wrong = []
    if left.close_wait:
        wrong.append(f"{left.close_wait} connections in CLOSE_WAIT")
    if left.descriptors > samples.first.taken.descriptors + _SPARE_DESCRIPTORS:
        wrong.append(
            f"{left.descriptors} descriptors, {samples.first.taken.descriptors} at the start"
        )
    return wrong


def _report(seen: Seen, samples: Samples, met: dict[str, dict[str, int]]) -> None:
    last = samples.now()
    print(
        f"turns {seen.turns}, each held by every reader; {seen.characters / 1e6:.1f} MB of text\n"
        f"events {seen.events} to readers; connections {seen.connections}, "
        f"exactly resumed {seen.resumed}"
    )
    for whose, faults in met.items():
        counted = ", ".join(f"{count} {kind}" for kind, count in sorted(faults.items()))
        print(f"faults, {whose}: {counted}")
    print(samples.table())
    print(
        f"descriptors {samples.first.taken.descriptors} at first, {samples.most_descriptors} at "
        f"most, {last.descriptors} at the end; CLOSE_WAIT at the end {last.close_wait}"
    )


if __name__ == "__main__":
    sys.exit(main())
