"""One storm scenario of the relay: readers and probes at an opencode, alone or behind weir."""

import contextlib
import statistics
import time

from msgspec import Struct

from tests.benchmarks.audience import Audience, Scenario, audience, prober, probes
from tests.benchmarks.figures import Storm
from tests.benchmarks.latency import Latency, Window, latency
from tests.benchmarks.memory import Memory, memory_now
from tests.benchmarks.relay_target import Target

PROBE_EVERY_MS = 20
_SETTLE_S = 1.0
_PROBED = {"health": "/global/health", "list": "/session"}
_WARM_UP = 300
# opencode sends each delta in an event of its own, of some 250 bytes.
_ROOM = 8


class Relayed(Struct):
    """What one scenario measured at one target; memory in MB by group of processes."""

    target: str
    readers: str
    last_s: list[float]
    health: Latency
    list: Latency
    before_mb: dict[str, float]
    peak_mb: dict[str, float]
    stalled_open: int

    @property
    def median_s(self) -> float:
        """Seconds until the last reader had all, the median of the rounds."""
        return statistics.median(self.last_s)

    def grown_mb(self, group: str) -> float:
        """By how much a group grew at the most; 0 for one that is not there."""
        return self.peak_mb.get(group, 0.0) - self.before_mb.get(group, 0.0)


def measure(name: str, target: Target, scenario: Scenario, storm: Storm) -> Relayed:
    """Let storms pass, and see that everybody has their text.

    Raises:
        WrongText: a reader, or the server, does not hold what the model said.
        TimeoutError: a reader does not get its last event.
    """
    with contextlib.ExitStack() as stack:
        probing = {
            what: stack.enter_context(prober(target.url + path, PROBE_EVERY_MS))
            for what, path in _PROBED.items()
        }
        before = memory_now(target.groups)
        room = _ROOM * storm.deltas * storm.size
        readers = stack.enter_context(audience(target, scenario, room))
        _pass(readers, Storm(_WARM_UP, storm.size, 1))
        windows = [_pass(readers, storm)[0] for _ in range(storm.rounds)]
        # One more, which is not timed: to look at memory slows it down.
        with Memory(target.groups) as memory:
            _, stalled_open = _pass(readers, storm)
        found = {what: probes(one) for what, one in probing.items()}
    return Relayed(
        target=name,
        readers=str(scenario),
        last_s=[(end - start) / 1e9 for start, end in windows],
        health=latency(found["health"], windows),
        list=latency(found["list"], windows),
        before_mb=before,
        peak_mb=memory.peak,
        stalled_open=stalled_open,
    )


def _pass(readers: Audience, storm: Storm) -> tuple[Window, int]:
    """Let one pass; return from when to when, and how many stalled readers are left."""
    session = readers.begin()
    start_ns = time.monotonic_ns()
    told = readers.watch(session, storm)
    time.sleep(_SETTLE_S)
    held = readers.check(session, storm)
    return (start_ns, told["last_ns"]), held["stalled_open"]
