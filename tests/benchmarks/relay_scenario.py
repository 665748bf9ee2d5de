"""One storm scenario of the relay: readers and probes at an opencode, alone or behind weir."""

import contextlib
import json
import statistics
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tests.benchmarks.child import Child, child
from tests.benchmarks.figures import Storm
from tests.benchmarks.latency import Latency, Window, latency
from tests.benchmarks.memory import Memory, memory_now
from tests.benchmarks.readers import Plan
from tests.benchmarks.received import answer_text, digest
from tests.benchmarks.relay_target import Target
from tests.benchmarks.scenario import Scenario, WrongText

PROBE_EVERY_MS = 20
_SETTLE_S = 1.0
_DEADLINE_S = 180.0
_PROBERS = {"health": "/global/health", "list": "/session"}


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
        probers = {
            what: stack.enter_context(_prober(what, target.url + path))
            for what, path in _PROBERS.items()
        }
        before = memory_now(target.groups)
        readers = stack.enter_context(_readers(target, scenario, storm))
        _storm(target, readers, Storm(300, storm.size, 1))
        windows = [_storm(target, readers, storm) for _ in range(storm.rounds)]
        # One more, which is not timed: to look at memory slows it down.
        with Memory(target.groups) as memory:
            _storm(target, readers, storm)
        probes = {what: _probes(prober) for what, prober in probers.items()}
        readers.tell({"check": ""})
        stalled_open = readers.hear(_DEADLINE_S)["stalled_open"]
    return Relayed(
        target=name,
        readers=str(scenario),
        last_s=[(end - start) / 1e9 for start, end in windows],
        health=latency(probes["health"], windows),
        list=latency(probes["list"], windows),
        before_mb=before,
        peak_mb=memory.peak,
        stalled_open=stalled_open,
    )


def _storm(target: Target, readers: Child, storm: Storm) -> Window:
    """Let one pass; return when it began, and when the last reader had its last event."""
    session = target.api.create()
    readers.tell("begin")
    readers.hear(_DEADLINE_S)
    start_ns = time.monotonic_ns()
    target.api.prompt(session, f"storm {storm.deltas} {storm.size}")
    told = readers.hear(_DEADLINE_S)
    time.sleep(_SETTLE_S)
    _check(target, readers, session, digest(storm.text))
    return start_ns, told["last_ns"]


def _check(target: Target, readers: Child, session: str, expected: str) -> None:
    stored = digest(answer_text(target.api.messages(session)))
    if stored != expected:
        raise WrongText(f"the server holds {stored}, the model said {expected}")
    readers.tell({"check": session})
    held = readers.hear(_DEADLINE_S)
    if set(held["texts"]) != {expected}:
        raise WrongText(f"readers hold {held['texts']}, the model said {expected}")


def _probes(prober: Child) -> list[list[int]]:
    prober.tell("probes")
    found: list[list[int]] = prober.hear(_DEADLINE_S)
    return found


@contextlib.contextmanager
def _prober(what: str, url: str) -> Iterator[Child]:
    words = {
        "health": ("tests.benchmarks.prober", url, str(PROBE_EVERY_MS), "new"),
        "list": ("tests.benchmarks.list_prober", url, str(PROBE_EVERY_MS)),
    }
    with child("-m", *words[what]) as prober:
        prober.hear(_DEADLINE_S)
        yield prober


@contextlib.contextmanager
def _readers(target: Target, scenario: Scenario, storm: Storm) -> Iterator[Child]:
    parts = urlsplit(target.url)
    plan = Plan(
        host=parts.hostname or "",
        port=parts.port or 0,
        paths=[target.stream],
        fast=scenario.fast,
        stalled=scenario.stalled,
        room=8 * storm.deltas * storm.size + 256 * 1024,
    )
    with child("-m", "tests.benchmarks.readers", json.dumps(msgspec.to_builtins(plan))) as readers:
        readers.hear(_DEADLINE_S)
        yield readers
