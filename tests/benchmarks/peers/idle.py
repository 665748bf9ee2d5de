"""Idle readers: the memory that each costs, and the CPU that all of them cost."""

import time
from collections.abc import Mapping, Sequence

from msgspec import Struct

from deploy.bench.crowd import crowd
from deploy.bench.plan import BenchPlan
from tests.benchmarks import process_tree
from tests.benchmarks.memory import PROVIDER
from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.peers.work import Work

PER_S = 10.0
"""CPU is given for so many seconds, however long it is watched."""
_SETTLE_S = 3.0


class Idle(Struct):
    """What idle readers cost.

    Attributes:
        kb: memory of the server for each reader (PSS), in KB of 1024 bytes.
        cpu_s: CPU of the server in `PER_S`.
        workers_s: CPU of the processes that hold readers.
        alone_s: CPU of the server before any reader was there.
        open_s: that the readers took to open their streams one after the other.
        before_mb: memory of the server without readers.
    """

    kb: float
    cpu_s: float
    workers_s: float
    alone_s: float
    open_s: float
    before_mb: float


def idle(peer: Peer, work: Work, seconds: float) -> Idle:
    """Measure readers that are sent nothing but heartbeats.

    Raises:
        CrowdFailed: a stream cannot be opened, or ends.
    """
    groups = {name: pids for name, pids in peer.groups.items() if name != PROVIDER}
    pids = [pid for some in groups.values() for pid in some]
    alone_s = sum(_cpu_s(groups, _SETTLE_S).values())
    before_mb, began = process_tree.memory_mb(pids), time.monotonic()
    with crowd(BenchPlan(peer.origin, [peer.route], work.readers)) as readers:
        open_s = time.monotonic() - began
        time.sleep(_SETTLE_S)
        used = _cpu_s(groups, seconds)
        grown_mb = process_tree.memory_mb(pids) - before_mb
        readers.check()
    cpu_s = sum(used.values())
    return Idle(
        kb=grown_mb * 1e6 / 1024 / work.readers,
        cpu_s=cpu_s,
        workers_s=used.get("workers", cpu_s),
        alone_s=alone_s,
        open_s=open_s,
        before_mb=before_mb,
    )


def _cpu_s(groups: Mapping[str, Sequence[int]], seconds: float) -> dict[str, float]:
    """Return what each group uses in `PER_S`, seen for some seconds."""
    used = {name: process_tree.cpu_s(pids) for name, pids in groups.items()}
    began = time.monotonic()
    time.sleep(seconds)
    share = PER_S / (time.monotonic() - began)
    return {name: (process_tree.cpu_s(pids) - used[name]) * share for name, pids in groups.items()}
