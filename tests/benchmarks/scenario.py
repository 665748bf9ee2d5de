"""One scenario of the storm: a fresh weir, its readers, its probes, and a few storms."""

import contextlib
import json
import os
import re
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tests.benchmarks import machine, process_tree
from tests.benchmarks.child import Child, child
from tests.benchmarks.figures import Figures, Round, Storm
from tests.benchmarks.latency import Window, latency
from tests.benchmarks.memory import Memory, memory_now
from tests.benchmarks.readers import Plan
from tests.benchmarks.received import answer_text, digest
from tests.benchmarks.weir_up import Weir, weir_up

PROBE_EVERY_MS = 5
_IDLE_S = 2.0
_SETTLE_S = 0.3
_AFTER_S = 1.0
_DEADLINE_S = 60.0
_WARM_UP = "storm 300 40"


class Scenario(Struct, frozen=True):
    """How many readers there are, ``FAST`` or ``FAST+STALLED``."""

    fast: int
    stalled: int

    def __str__(self) -> str:
        return f"{self.fast}+{self.stalled}" if self.stalled else str(self.fast)

    @classmethod
    def parse(cls, name: str) -> "Scenario":
        """Read a scenario's name; `ValueError` if it is none."""
        match = re.fullmatch(r"([1-9]\d*)(?:\+(\d+))?", name)
        if match is None:
            raise ValueError(name)
        return cls(int(match[1]), int(match[2] or 0))

    def run(self, storm: Storm) -> Figures:
        """Measure it.

        Raises:
            WrongText: a reader, or the server, does not hold what the model said.
            TimeoutError: a reader does not get its last event.
        """
        with weir_up() as weir, _prober(weir) as prober:
            warm_up = weir.session()
            weir.prompt(warm_up, _WARM_UP)
            weir.wait_for_answer(warm_up)
            time.sleep(_SETTLE_S)
            before = memory_now(weir.groups)
            idle = _idle()
            with _readers(weir, self, storm) as readers:
                measured = _Measured(weir, readers, prober)
                for _ in range(storm.rounds):
                    measured.storm(storm)
                peak = measured.memory_peak(storm)
                time.sleep(_AFTER_S)
                after = memory_now(weir.groups)
            if not weir.is_whole:
                raise RuntimeError(f"{self}: a process of weir was replaced")
            prober.tell("probes")
            probes = prober.hear(_DEADLINE_S)
        return Figures(
            fast=self.fast,
            stalled=self.stalled,
            rounds=measured.rounds,
            idle=latency(probes, [idle]),
            load=latency(probes, measured.windows),
            before_mb=before,
            peak_mb=peak,
            after_mb=after,
            stalled_open=measured.stalled_open,
        )


class WrongText(Exception):
    """Somebody holds another text than the model has said."""


class _Measured:
    """The storms of one scenario."""

    def __init__(self, weir: Weir, readers: Child, prober: Child) -> None:
        self.rounds: list[Round] = []
        self.windows: list[Window] = []
        self.stalled_open = 0
        self._weir = weir
        self._readers = readers
        self._groups = {
            **weir.groups,
            "readers": [readers.pid],
            "prober": [prober.pid],
            "benchmark": [os.getpid()],
        }

    def storm(self, storm: Storm) -> None:
        """Let one storm pass, and see that everybody has its text."""
        yardstick_ms = machine.yardstick_ms()
        session = self._begin()
        used, start_ns = self._cpu(), time.monotonic_ns()
        told = self._pass(session, storm)
        cpu = {name: max(0.0, now - used[name]) for name, now in self._cpu().items()}
        time.sleep(_SETTLE_S)
        self.windows.append((start_ns, told["last_ns"]))
        held = self._check(session, storm)
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
        session = self._begin()
        with Memory(self._weir.groups) as memory:
            self._pass(session, storm)
            time.sleep(_SETTLE_S)
        self.stalled_open = self._check(session, storm)["stalled_open"]
        return memory.peak

    def _begin(self) -> str:
        session = self._weir.session()
        self._readers.tell("begin")
        self._readers.hear(_DEADLINE_S)
        return session

    def _pass(self, session: str, storm: Storm) -> dict:
        self._weir.prompt(session, f"storm {storm.deltas} {storm.size}")
        return self._readers.hear(_DEADLINE_S)

    def _check(self, session: str, storm: Storm) -> dict:
        expected = digest(storm.text)
        stored = digest(answer_text(self._weir.messages(session)))
        if stored != expected:
            raise WrongText(f"the server holds {stored}, the model said {expected}")
        self._readers.tell({"check": session})
        held = self._readers.hear(_DEADLINE_S)
        if set(held["texts"]) != {expected}:
            raise WrongText(f"readers hold {held['texts']}, the model said {expected}")
        return held

    def _cpu(self) -> dict[str, float]:
        used = {name: process_tree.cpu_s(pids) for name, pids in self._groups.items()}
        return {**used, "others": process_tree.machine_cpu_s() - sum(used.values())}


def _idle() -> Window:
    start = time.monotonic_ns()
    time.sleep(_IDLE_S)
    return start, time.monotonic_ns()


@contextlib.contextmanager
def _prober(weir: Weir) -> Iterator[Child]:
    url = f"{weir.url}/global/health"
    with child("-m", "tests.benchmarks.prober", url, str(PROBE_EVERY_MS), "new") as prober:
        prober.hear(_DEADLINE_S)
        yield prober


@contextlib.contextmanager
def _readers(weir: Weir, scenario: Scenario, storm: Storm) -> Iterator[Child]:
    parts = urlsplit(weir.url)
    plan = Plan(
        host=parts.hostname or "",
        port=parts.port or 0,
        paths=weir.streams,
        fast=scenario.fast,
        stalled=scenario.stalled,
        room=2 * storm.deltas * storm.size + 256 * 1024,
    )
    plan_text = json.dumps(msgspec.to_builtins(plan))
    with child("-m", "tests.benchmarks.readers", plan_text) as readers:
        readers.hear(_DEADLINE_S)
        yield readers
