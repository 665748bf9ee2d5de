"""Storms through a server: readers, probes, memory, and the text that readers must have."""

import contextlib
import os
import time
from collections.abc import Sequence

from msgspec import Struct

from deploy.bench.crowd import Crowd, Times, crowd
from deploy.bench.latency import Latency, Window, latency
from deploy.bench.plan import Plan
from deploy.bench.prober import prober, probes
from deploy.bench.received import answer_text, digest
from tests.benchmarks import machine, process_tree
from tests.benchmarks.memory import Memory, memory_now
from tests.benchmarks.peers.peer import MARKER, Peer
from tests.benchmarks.peers.work import Work
from tests.fakes.scripts import numbered

PROBE_EVERY_MS = {"health": 5, "list": 20}
_IDLE_S = 2.0
_SETTLE_S = 0.5
_ROOM = 512 * 1024 * 1024
"""Bytes that readers may keep together, so that their text can be checked."""
_FRAMING = 8
"""Bytes of a stream for each byte of text, where each delta is an event of its own."""


class Storm(Struct, frozen=True):
    """What is asked of the model, how often, and how long it may take."""

    deltas: int
    size: int
    storms: int
    most_s: float

    @property
    def text(self) -> str:
        """The answer that every reader must have in the end."""
        return "".join(numbered(self.deltas, self.size))


class Stormed(Struct):
    """What storms of one size did; memory in MB and CPU in seconds by group of processes.

    Attributes:
        last_s: seconds from the prompt to the last event of the last reader, of each storm.
        median_s: the same of the median reader.
        bytes: of the stream of a reader.
        frames: in it.
        checked: readers whose text was compared.
        idle: of probes without load, by what was probed.
        load: of probes in a storm.
        cpu_s: of each storm; ``readers`` are the load generator, ``others`` is everything that
            has nothing to do with the benchmark.
        before_mb: before any reader was there.
        peak_mb: the most in one more storm, which is not timed.
        yardstick_ms: of a fixed piece of work before each storm: the pace of the machine.
    """

    last_s: list[float]
    median_s: list[float]
    bytes: float
    frames: float
    checked: int
    stalled_open: int
    idle: dict[str, Latency]
    load: dict[str, Latency]
    cpu_s: list[dict[str, float]]
    before_mb: dict[str, float]
    peak_mb: dict[str, float]
    yardstick_ms: list[float]


class WrongText(Exception):
    """A reader, or the server, does not hold what the model said."""


def storms(peer: Peer, work: Work, storm: Storm) -> Stormed:
    """Let storms pass.

    Raises:
        WrongText: a reader, or the server, does not hold what the model said.
        TimeoutError: a reader does not have its last event in time.
        CrowdFailed: the server ends a stream.
    """
    kept = min(work.readers, max(1, _ROOM // (_FRAMING * storm.deltas * storm.size)))
    plan = Plan(peer.origin, peer.routes, work.readers, work.stalled, kept)
    with contextlib.ExitStack() as stack:
        probing = {
            what: stack.enter_context(prober(peer.origin, route, PROBE_EVERY_MS[what]))
            for what, route in peer.probed.items()
        }
        before = memory_now(peer.groups)
        idle = _quiet()
        measured = _Measured(peer, stack.enter_context(crowd(plan)), storm)
        for _ in range(storm.storms):
            measured.timed([one.pid for one in probing.values()])
        peak_mb = measured.peak_mb()
        found = {what: probes(one) for what, one in probing.items()}
    return Stormed(
        last_s=measured.last_s,
        median_s=measured.median_s,
        bytes=measured.bytes,
        frames=measured.frames,
        checked=kept,
        stalled_open=measured.stalled_open,
        idle={what: latency(times, [idle]) for what, times in found.items()},
        load={what: latency(times, measured.windows) for what, times in found.items()},
        cpu_s=measured.cpu_s,
        before_mb=before,
        peak_mb=peak_mb,
        yardstick_ms=measured.yardstick_ms,
    )


class _Measured:
    """The storms of one size at one server."""

    def __init__(self, peer: Peer, readers: Crowd, storm: Storm) -> None:
        self.last_s: list[float] = []
        self.median_s: list[float] = []
        self.cpu_s: list[dict[str, float]] = []
        self.windows: list[Window] = []
        self.yardstick_ms: list[float] = []
        self.bytes = self.frames = 0.0
        self.stalled_open = 0
        self._peer = peer
        self._readers = readers
        self._storm = storm

    def timed(self, probers: Sequence[int]) -> None:
        """Let one storm pass under the clock."""
        self.yardstick_ms.append(machine.yardstick_ms())
        groups = {**self._peer.groups, "readers": [self._readers.pid], "probers": list(probers)}
        groups["benchmark"] = [os.getpid()]
        used, cpu_s = {}, {}
        for name, pids in groups.items():
            used[name] = process_tree.cpu_s(pids)
        all_s, start_ns = process_tree.machine_cpu_s(), time.monotonic_ns()
        session, times = self._pass()
        for name, pids in groups.items():
            cpu_s[name] = max(0.0, process_tree.cpu_s(pids) - used[name])
        cpu_s["others"] = process_tree.machine_cpu_s() - all_s - sum(cpu_s.values())
        self.cpu_s.append(cpu_s)
        self.last_s.append((times.last_ns - start_ns) / 1e9)
        self.median_s.append((times.median_ns - start_ns) / 1e9)
        self.windows.append((start_ns, times.last_ns))
        self._check(session)

    def peak_mb(self) -> dict[str, float]:
        """Watch memory through one more storm, which is not timed: to look slows it down."""
        with Memory(self._peer.groups) as memory:
            session, _ = self._pass()
            time.sleep(_SETTLE_S)
        self._check(session)
        return memory.peak

    def _pass(self) -> tuple[str, Times]:
        session = self._peer.server.session()
        self._readers.begin(MARKER)
        self._peer.server.prompt(session, f"storm {self._storm.deltas} {self._storm.size}")
        return session, self._readers.wait(self._storm.most_s)

    def _check(self, session: str) -> None:
        time.sleep(_SETTLE_S)
        expected = digest(self._storm.text)
        stored = digest(answer_text(self._peer.server.messages(session)))
        if stored != expected:
            raise WrongText(f"the server holds {stored}, the model said {expected}")
        held = self._readers.held(session)
        if set(held.texts) != {expected}:
            raise WrongText(f"readers hold {held.texts}, the model said {expected}")
        self.bytes, self.frames = held.bytes, held.frames
        self.stalled_open = held.stalled_open


def _quiet() -> Window:
    start_ns = time.monotonic_ns()
    time.sleep(_IDLE_S)
    return start_ns, time.monotonic_ns()
