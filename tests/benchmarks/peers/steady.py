"""Steady work: so many events a second to so many readers, the delay of each, and what it costs.

The delay counts from the moment at which the model writes a delta, or the publisher posts it.
"""

import time

from msgspec import Struct

from deploy.bench.crowd import crowd, end_of
from deploy.bench.delays import Delays
from deploy.bench.plan import BenchPlan
from tests.benchmarks import process_tree
from tests.benchmarks.memory import PROVIDER
from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.peers.work import Work

SIZE = 60
_SETTLE_S = 1.0
_LATE_S = 60.0


class Lost(Exception):
    """A reader has not got every delta."""


class Steady(Struct):
    """What steady work did.

    Attributes:
        cpu_s: CPU of each group of processes, in seconds.
        generator_s: CPU of the readers.
        seconds: from the prompt to the last event of the last reader.
    """

    delays: Delays
    cpu_s: dict[str, float]
    generator_s: float
    seconds: float

    @property
    def server_s(self) -> float:
        """CPU of the server's processes."""
        return sum(used for group, used in self.cpu_s.items() if group != PROVIDER)

    @property
    def fan_out_s(self) -> float:
        """CPU of the processes that write to readers."""
        return self.cpu_s.get("workers", self.server_s)


def steady(peer: Peer, work: Work, seconds: float) -> Steady:
    """Measure one stretch of steady work.

    Raises:
        Lost: a reader has not got every delta.
        CrowdFailed: the server ends a stream, or a reader does not have its last event in time.
    """
    count = max(1, int(work.per_second * seconds))
    plan = BenchPlan(peer.origin, [peer.route], work.readers, kept=work.readers)
    with crowd(plan) as readers:
        time.sleep(_SETTLE_S)
        session = peer.server.session()
        readers.begin(end_of(session))
        groups = {**peer.groups, "generator": [readers.pid]}
        used = {name: process_tree.cpu_s(pids) for name, pids in groups.items()}
        start_ns = time.monotonic_ns()
        peer.server.prompt(session, f"rate {work.per_second} {count} {SIZE}")
        times = readers.wait(seconds + _LATE_S)
        cpu_s = {name: process_tree.cpu_s(pids) - used[name] for name, pids in groups.items()}
        delays = readers.delays()
    if delays.least != count:
        raise Lost(f"a reader got {delays.least} of {count} deltas")
    generator_s = cpu_s.pop("generator")
    return Steady(delays, cpu_s, generator_s, (times.last_ns - start_ns) / 1e9)
