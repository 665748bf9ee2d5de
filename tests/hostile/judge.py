"""Runs one attack and decides whether it has done harm.

Harm is any of these: health or a good reader was served more than three times slower than before
(and slower than a floor, below which the machine and not weir decides), a good reader was cut or
lost text, a process of weir was replaced, memory grew past the bound of the attack or did not
come back, descriptors or greenlets were left behind, a traceback is in the log, or the attack saw
something wrong by itself. Times and memory depend on the machine too, so an attack that failed
by these alone is run again, three times at most.
"""

import math
import time

from msgspec import Struct

from tests.benchmarks.memory import PROVIDER, Memory
from tests.hostile.attack import Run
from tests.hostile.stage import Held, Stage, Times

TRIES = 6
_SETTLE_S = 0.4
_BACK_WITHIN_S = 120.0
_LOOK_S = 0.25
_SAMPLE_S = 0.25
_SPARE_DESCRIPTORS = 24
_SPARE_GREENLETS = 8
_KEPT_MB, _KEPT_SHARE = 40.0, 0.2
"""Memory that an allocator may keep after an attack: MB, and a share of what was used before."""


class Bounds(Struct, frozen=True):
    """What depends on how long and where the attacks run.

    Attributes:
        seconds: how long an attack goes on.
        floor_ms: times below are not judged; the shortest runs also run on slow and busy machines.
        before_s: how long it is quiet before; of little account where the floor is high.
    """

    seconds: float
    floor_ms: float
    before_s: float = 1.0


LONG = Bounds(seconds=8.0, floor_ms=50.0)
USUAL = Bounds(seconds=4.0, floor_ms=50.0)
SHORT = Bounds(seconds=0.8, floor_ms=600.0, before_s=0.3)


class Verdict(Struct):
    """What has become of an attack.

    Attributes:
        memory_mb: before, at its peak, and afterwards.
        soft: what a busy machine can cause as well.
        hard: what only weir can cause.
    """

    run: Run
    load: str
    before: Times
    during: Times
    memory_mb: tuple[float, float, float]
    soft: list[str]
    hard: list[str]

    @property
    def wrong(self) -> list[str]:
        """All that is wrong."""
        return [*self.hard, *self.soft]


def judge(stage: Stage, run: Run, size: int, seed: int, bounds: Bounds) -> Verdict:
    """Run an attack until it does no harm, or has done harm each time."""
    for left in reversed(range(TRIES)):
        verdict = _once(stage, run, size, seed, bounds)
        if verdict.hard or not verdict.soft or not left:
            break
    return verdict


def _once(stage: Stage, run: Run, size: int, seed: int, bounds: Bounds) -> Verdict:
    attack = run.attack
    held, log_size = stage.held(), stage.weir.log.stat().st_size
    stage.quiet(_SETTLE_S)  # to be counted stops a process for a while
    quiet = stage.quiet(bounds.before_s)
    with Memory(_own(stage), _SAMPLE_S) as memory:
        window, found = stage.attack(run.name, size, seed, bounds.seconds)
    before, during = stage.times(quiet, window)
    peak_mb = memory.peak.get("total", held.memory_mb)
    hard = [*found.wrong, *stage.cut_readers()]
    if not stage.weir.is_whole:
        hard.append("a process of weir was replaced")
    else:
        hard += _left_behind(stage, held, attack.kept_mb)
    if "Traceback" in (said := stage.log(log_size)):
        hard.append(f"a traceback is in the log: {said[said.index('Traceback') :][:2000]}")
    soft = _slower(before, during, attack.most_ratio, bounds.floor_ms)
    if peak_mb > held.memory_mb + attack.memory_mb:
        soft.append(f"memory grew from {held.memory_mb:.0f} to {peak_mb:.0f} MB")
    after_mb = stage.held().memory_mb if stage.weir.is_whole else math.inf
    load = attack.load.format(n=size) + (f" ({found.note})" if found.note else "")
    figures = (held.memory_mb, peak_mb, after_mb)
    return Verdict(run, load, before, during, figures, soft, hard)


def _own(stage: Stage) -> dict[str, list[int]]:
    return {name: pids for name, pids in stage.weir.groups.items() if name != PROVIDER}


def _slower(before: Times, during: Times, most_ratio: float, floor_ms: float) -> list[str]:
    wrong = []
    for what in before.__struct_fields__:
        then, now = getattr(before, what), getattr(during, what)
        known = then if math.isfinite(then) else 0.0  # nothing came before: it is no measure
        if now > max(floor_ms, most_ratio * known):
            wrong.append(f"{what} went from {then:.1f} to {now:.1f} ms")
    return wrong


def _left_behind(stage: Stage, before: Held, kept_mb: float) -> list[str]:
    """Wait until weir holds what it held before; return in words what it does not give back."""
    end = time.monotonic() + _BACK_WITHIN_S
    while (wrong := _kept(before, stage.held(), kept_mb)) and time.monotonic() < end:
        time.sleep(_LOOK_S)
    return wrong


def _kept(before: Held, now: Held, kept_mb: float) -> list[str]:
    wrong = []
    if now.descriptors > before.descriptors + _SPARE_DESCRIPTORS:
        wrong.append(f"{now.descriptors} descriptors, {before.descriptors} before")
    if now.greenlets > before.greenlets + _SPARE_GREENLETS:
        wrong.append(f"{now.greenlets} greenlets, {before.greenlets} before")
    if now.memory_mb > before.memory_mb * (1 + _KEPT_SHARE) + _KEPT_MB + kept_mb:
        wrong.append(f"{now.memory_mb:.0f} MB are held, {before.memory_mb:.0f} before")
    return wrong
