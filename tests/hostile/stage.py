"""A weir to attack: `weir up`, its upstream or its model, its good readers, and a probe."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from bus.origin import Origin
from deploy.bench.latency import Window, quantile
from deploy.bench.prober import prober, probes
from tests.benchmarks.child import Child, child
from tests.benchmarks.memory import PROVIDER
from tests.benchmarks.weir_up import Weir, weir_before, weir_up
from tests.fakes import greenlets
from tests.faults.weir_processes import taken
from tests.hostile.attack import NATIVE
from tests.hostile.attacker import Found, Plan

READERS = 5
_PROBE_EVERY_MS = 20
_STARTS_S, _ANSWERS_S, _LOAD_S, _ENDS_S = 120.0, 120.0, 600.0, 600.0
_FLAGS = ("--heartbeat-ms", "1000")


class Held(Struct):
    """What weir's processes hold."""

    memory_mb: float
    descriptors: int
    greenlets: int


class Times(Struct):
    """How good clients were served in a stretch of time, in ms; infinite where no answer came."""

    health_p99: float
    readers_p99: float


class Stage:
    """The running whole.

    Attributes:
        weir: under attack.
    """

    def __init__(self, weir: Weir, probing: Child, follower: Child) -> None:
        self.weir = weir
        self._prober = probing
        self._follower = follower

    @property
    def state(self) -> str:
        """The state folder of weir."""
        return str(self.weir.log.parent / "state")

    def attack(self, name: str, size: int, seed: int, seconds: float) -> tuple[Window, Found]:
        """Run an attack to its end; return when its load stood, and what it has found."""
        plan = Plan(self.weir.url, self.state, seed, seconds, size)
        encoded = json.dumps({f: getattr(plan, f) for f in plan.__struct_fields__})
        with child("-m", "tests.hostile.attacker", name, encoded) as process:
            process.hear(_LOAD_S)
            began = time.monotonic_ns()
            process.hear(seconds + _ENDS_S)
            window = began, time.monotonic_ns()
            return window, Found(**process.hear(_ENDS_S))

    def quiet(self, seconds: float) -> Window:
        """Let some time pass."""
        began = time.monotonic_ns()
        time.sleep(seconds)
        return began, time.monotonic_ns()

    def times(self, *windows: Window) -> list[Times]:
        """Return how good clients were served in these stretches."""
        delays = self._ask(self._follower)["delays"]
        probed = probes(self._prober)
        answered = [(due, done - due if done else None) for due, _, done in probed]
        came = [(sent, came - sent) for sent, came in delays]
        return [Times(_p99(answered, window), _p99(came, window)) for window in windows]

    def cut_readers(self) -> list[str]:
        """Return what is wrong with the good readers, in words."""
        wrong: list[str] = self._ask(self._follower)["wrong"]
        return wrong

    def held(self) -> Held:
        """Return what weir's processes hold now."""
        pids = [p for name, some in self.weir.groups.items() if name != PROVIDER for p in some]
        now = taken(pids)
        running = sum(map(greenlets.greenlets_of, self.weir.groups["workers"]))
        return Held(now.memory_mb, now.descriptors, running)

    def log(self, begin: int) -> str:
        """Return what weir has logged from a place on."""
        return self.weir.log.read_bytes()[begin:].decode(errors="replace")

    def _ask(self, whom: Child) -> Any:
        whom.tell("say")
        return whom.hear(_ANSWERS_S)


def _p99(times: list[tuple[int, int | None]], window: Window) -> float:
    inside = [took for at, took in times if window[0] <= at < window[1]]
    if not inside:
        return float("inf")
    return quantile(sorted(float("inf") if t is None else t / 1e6 for t in inside), 0.99)


@contextmanager
def stage(mode: str, upstream: str, *flags: str) -> Iterator[Stage]:
    """Run one for the time of a ``with`` block.

    Args:
        mode: ``native`` or ``relay``.
        upstream: the module that is the upstream in relay mode.
        flags: further flags of weir.
    """
    if mode == NATIVE:
        with weir_up(*_FLAGS, *flags, path=greenlets.FOLDER) as weir, _clients(weir) as whole:
            yield whole
        return
    with child("-m", upstream) as server:
        url = server.hear(_STARTS_S)
        before = weir_before(url, server.pid, *_FLAGS, *flags, path=greenlets.FOLDER)
        with before as weir, _clients(weir) as whole:
            yield whole


@contextmanager
def _clients(weir: Weir) -> Iterator[Stage]:
    session = weir.session()
    follow = ("-m", "tests.hostile.follower", weir.url, session, str(READERS))
    probe = prober(Origin.parse(weir.url), "/global/health", _PROBE_EVERY_MS)
    with child(*follow) as follower, probe as probing:
        follower.hear(_STARTS_S)
        yield Stage(weir, probing, follower)
