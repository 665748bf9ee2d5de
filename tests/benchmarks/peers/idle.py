"""Idle readers: the memory that each costs, and the CPU that all of them cost."""

import time

from msgspec import Struct

from deploy.bench.crowd import crowd
from deploy.bench.plan import Plan
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
        open_s: that the readers took to open their streams one after the other.
        before_mb: memory of the server without readers.
    """

    kb: float
    cpu_s: float
    open_s: float
    before_mb: float


def idle(peer: Peer, work: Work, seconds: float) -> Idle:
    """Watch readers to whom nothing is sent but heartbeats.

    Raises:
        CrowdFailed: a stream cannot be opened, or ends.
    """
    pids = [pid for name, some in peer.groups.items() if name != PROVIDER for pid in some]
    time.sleep(_SETTLE_S)
    before_mb, began = process_tree.memory_mb(pids), time.monotonic()
    with crowd(Plan(peer.origin, [peer.route], work.readers)) as readers:
        open_s = time.monotonic() - began
        time.sleep(_SETTLE_S)
        used_s, began = process_tree.cpu_s(pids), time.monotonic()
        time.sleep(seconds)
        cpu_s = (process_tree.cpu_s(pids) - used_s) * PER_S / (time.monotonic() - began)
        grown_mb = process_tree.memory_mb(pids) - before_mb
        readers.check()
    return Idle(grown_mb * 1e6 / 1024 / work.readers, cpu_s, open_s, before_mb)
