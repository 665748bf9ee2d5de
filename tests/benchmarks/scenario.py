"""One scenario of the storm: a fresh weir, its readers, its probes, and a few storms."""

import os
import time

from tests.benchmarks import machine, process_tree
from tests.benchmarks.audience import Audience, Scenario, audience, prober, probes
from tests.benchmarks.figures import Figures, Round, Storm
from tests.benchmarks.latency import Window, latency
from tests.benchmarks.memory import Memory, memory_now
from tests.benchmarks.weir_up import Weir, weir_up

PROBE_EVERY_MS = 5
_IDLE_S = 2.0
_SETTLE_S = 0.3
_AFTER_S = 1.0
_WARM_UP = "storm 300 40"
# Twice the text: the deltas' framing, and the closing snapshot.
_ROOM = 2


def measure(scenario: Scenario, storm: Storm) -> Figures:
    """Measure a scenario.

    Raises:
        WrongText: a reader, or the server, does not hold what the model said.
        TimeoutError: a reader does not get its last event.
    """
    with weir_up() as weir, prober(f"{weir.url}/global/health", PROBE_EVERY_MS) as probing:
        _warm_up(weir)
        before = memory_now(weir.groups)
        idle = _idle()
        with audience(weir, scenario, _ROOM * storm.deltas * storm.size) as readers:
            measured = _Measured(weir, readers, probing.pid)
            for _ in range(storm.rounds):
                measured.storm(storm)
            peak = measured.memory_peak(storm)
            time.sleep(_AFTER_S)
            after = memory_now(weir.groups)
        if not weir.is_whole:
            raise RuntimeError(f"{scenario}: a process of weir was replaced")
        found = probes(probing)
    return Figures(
        fast=scenario.fast,
        stalled=scenario.stalled,
        rounds=measured.rounds,
        idle=latency(found, [idle]),
        load=latency(found, measured.windows),
        before_mb=before,
        peak_mb=peak,
        after_mb=after,
        stalled_open=measured.stalled_open,
    )


class _Measured:
    """The storms of one scenario."""

    def __init__(self, weir: Weir, readers: Audience, prober: int) -> None:
        self.rounds: list[Round] = []
        self.windows: list[Window] = []
        self.stalled_open = 0
        self._weir = weir
        self._readers = readers
        self._groups = {
            **weir.groups,
            "readers": [readers.pid],
            "prober": [prober],
            "benchmark": [os.getpid()],
        }

    def storm(self, storm: Storm) -> None:
        """Let one storm pass, and see that everybody has its text."""
        yardstick_ms = machine.yardstick_ms()
        session = self._readers.begin()
        used, start_ns = self._cpu(), time.monotonic_ns()
        told = self._readers.watch(session, storm)
        cpu = {name: max(0.0, now - used[name]) for name, now in self._cpu().items()}
        time.sleep(_SETTLE_S)
        self.windows.append((start_ns, told["last_ns"]))
        held = self._readers.check(session, storm)
        self.rounds.append(
            Round(
                last_s=(told["last_ns"] - start_ns) / 1e9,
                median_s=(told["median_ns"] - start_ns) / 1e9,
                bytes=held["bytes"],
                frames=held["frames"],
                cpu_s=cpu,
                yardstick_ms=yardstick_ms,
            )
        )

    def memory_peak(self, storm: Storm) -> dict[str, float]:
        """Watch memory through one more storm, which is not timed: to look slows it down."""
        session = self._readers.begin()
        with Memory(self._weir.groups) as memory:
            self._readers.watch(session, storm)
            time.sleep(_SETTLE_S)
        self.stalled_open = self._readers.check(session, storm)["stalled_open"]
        return memory.peak

    def _cpu(self) -> dict[str, float]:
        used = {name: process_tree.cpu_s(pids) for name, pids in self._groups.items()}
        return {**used, "others": process_tree.machine_cpu_s() - sum(used.values())}


def _warm_up(weir: Weir) -> None:
    session = weir.session()
    weir.prompt(session, _WARM_UP)
    weir.wait_for_answer(session)
    time.sleep(_SETTLE_S)


def _idle() -> Window:
    start = time.monotonic_ns()
    time.sleep(_IDLE_S)
    return start, time.monotonic_ns()
