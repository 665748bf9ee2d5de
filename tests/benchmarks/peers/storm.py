"""Storms through a server: readers, probes, memory, and the text that readers must have."""

import contextlib
import os
import time
from collections.abc import Mapping, Sequence

from msgspec import Struct

from deploy.bench.crowd import Crowd, Held, Times, crowd, end_of
from deploy.bench.latency import Latency, Window, latency
from deploy.bench.plan import BenchPlan
from deploy.bench.prober import prober, probes
from deploy.bench.received import answer_text, digest
from tests.benchmarks import machine, process_tree
from tests.benchmarks.memory import Memory, memory_now
from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.peers.work import Work
from tests.fakes.scripts import numbered

PROBE_EVERY_MS = {"health": 5, "list": 20}
_IDLE_S = 2.0
_SETTLE_S = 0.5
_ROOM = 128 * 1024 * 1024
"""Bytes that readers may keep together, so that their text can be checked."""


class Storm(Struct, frozen=True):
    """What is asked of the model, and what is measured.

    Attributes:
        most_s: after which a storm is given up.
        watched: whether memory is watched, in one more storm.
    """

    deltas: int
    size: int
    most_s: float
    watched: bool

    @property
    def text(self) -> str:
        """The answer that every reader must have in the end."""
        return "".join(numbered(self.deltas, self.size))


class Stormed(Struct):
    """What a storm did; memory in MB and CPU in seconds by group of processes.

    Attributes:
        last_s: from the prompt to the last event of the last reader, in seconds.
        median_s: the same of the median reader.
        bytes: of the stream of a reader.
        frames: in it.
        checked: readers whose text was compared.
        idle: of probes without load, by what was probed.
        load: of probes in the storm.
        cpu_s: ``readers`` are the load generator, ``others`` is everything that has nothing to do
            with the benchmark.
        before_mb: before any reader was there.
        peak_mb: the most in one more storm; empty if memory was not watched.
        yardstick_ms: of a fixed piece of work just before: the pace of the machine.
    """

    last_s: float
    median_s: float
    bytes: float
    frames: float
    checked: int
    stalled_open: int
    idle: dict[str, Latency]
    load: dict[str, Latency]
    cpu_s: dict[str, float]
    before_mb: dict[str, float]
    peak_mb: dict[str, float]
    yardstick_ms: float


class WrongText(Exception):
    """A reader, or the server, does not hold what the model said."""


def stormed(peer: Peer, work: Work, storm: Storm) -> Stormed:
    """Let a storm pass.

    Raises:
        WrongText: a reader, or the server, does not hold what the model said.
        CrowdFailed: the server ends a stream, or a reader does not have its last event in time.
    """
    kept = min(work.readers, max(1, _ROOM // (peer.framing * storm.deltas * storm.size)))
    plan = BenchPlan(peer.origin, peer.routes, work.readers, work.stalled, kept)
    with contextlib.ExitStack() as stack:
        probing = {
            what: stack.enter_context(prober(peer.origin, route, PROBE_EVERY_MS[what]))
            for what, route in peer.probed.items()
        }
        before, idle = memory_now(peer.groups), _quiet()
        readers = stack.enter_context(crowd(plan))
        yardstick_ms = machine.yardstick_ms()
        groups = {**peer.groups, "readers": [readers.pid], "benchmark": [os.getpid()]}
        meter = _Meter({**groups, "probers": [one.pid for one in probing.values()]})
        session, start_ns, times = _pass(peer, readers, storm)
        cpu_s = meter.used_s()
        held = _checked(peer, readers, storm, session)
        # Not under the clock: to look at memory slows a storm down.
        peak_mb = _watched(peer, readers, storm) if storm.watched else {}
        found = {what: probes(one) for what, one in probing.items()}
    end_ns = times.last_ns
    return Stormed(
        last_s=(times.last_ns - start_ns) / 1e9,
        median_s=(times.median_ns - start_ns) / 1e9,
        bytes=held.bytes,
        frames=held.frames,
        checked=kept,
        stalled_open=held.stalled_open,
        idle={what: latency(probed, [idle]) for what, probed in found.items()},
        load={what: latency(probed, [(start_ns, end_ns)]) for what, probed in found.items()},
        cpu_s=cpu_s,
        before_mb=before,
        peak_mb=peak_mb,
        yardstick_ms=yardstick_ms,
    )


class _Meter:
    """CPU time of groups of processes from now on."""

    def __init__(self, groups: Mapping[str, Sequence[int]]) -> None:
        self._groups = groups
        self._before = self._now()

    def used_s(self) -> dict[str, float]:
        """Return what each group has used."""
        return {name: max(0.0, now - self._before[name]) for name, now in self._now().items()}

    def _now(self) -> dict[str, float]:
        used = {name: process_tree.cpu_s(pids) for name, pids in self._groups.items()}
        return {**used, "others": process_tree.machine_cpu_s() - sum(used.values())}


def _quiet() -> Window:
    start_ns = time.monotonic_ns()
    time.sleep(_IDLE_S)
    return start_ns, time.monotonic_ns()


def _pass(peer: Peer, readers: Crowd, storm: Storm) -> tuple[str, int, Times]:
    """Let a storm pass; return its session, its start, and when readers had all of it."""
    session = peer.server.session()
    readers.begin(end_of(session))
    start_ns = time.monotonic_ns()
    peer.server.prompt(session, f"storm {storm.deltas} {storm.size}")
    return session, start_ns, readers.wait(storm.most_s)


def _checked(peer: Peer, readers: Crowd, storm: Storm, session: str) -> Held:
    """Compare the text that the server and the readers hold with what the model said."""
    time.sleep(_SETTLE_S)
    expected = digest(storm.text)
    stored = digest(answer_text(peer.server.messages(session)))
    if stored != expected:
        raise WrongText(f"the server holds {stored}, the model said {expected}")
    held = readers.held(session)
    if set(held.texts) != {expected}:
        raise WrongText(f"readers hold {held.texts}, the model said {expected}")
    return held


def _watched(peer: Peer, readers: Crowd, storm: Storm) -> dict[str, float]:
    """Return the most memory of each group in one more storm."""
    with Memory(peer.groups) as memory:
        session, _, _ = _pass(peer, readers, storm)
        _checked(peer, readers, storm, session)
    return memory.peak
