"""What a storm is, and what is measured of it."""

import statistics

from msgspec import Struct

from tests.benchmarks.latency import Latency
from tests.fakes.scripts import numbered


class Storm(Struct):
    """What is asked of the model, and how often."""

    deltas: int
    size: int
    rounds: int

    @property
    def text(self) -> str:
        """The answer that every reader must have in the end."""
        return "".join(numbered(self.deltas, self.size))


class Round(Struct):
    """One storm: seconds from the prompt to the last event of the last and the median reader.

    ``cpu_s`` is CPU time by group of processes; ``others`` are those that have nothing to do with
    it, and disturb it. ``yardstick_ms`` is how long a piece of plain work took just before: it
    tells a slower machine from a slower weir.
    """

    last_s: float
    median_s: float
    bytes: float
    frames: float
    cpu_s: dict[str, float]
    yardstick_ms: float


class Figures(Struct):
    """What a scenario measured; memory in MB by group of processes, its peak in a last storm."""

    fast: int
    stalled: int
    rounds: list[Round]
    idle: Latency
    load: Latency
    before_mb: dict[str, float]
    peak_mb: dict[str, float]
    after_mb: dict[str, float]
    stalled_open: int

    @property
    def name(self) -> str:
        """The scenario's name, ``FAST`` or ``FAST+STALLED``."""
        return f"{self.fast}+{self.stalled}" if self.stalled else str(self.fast)

    @property
    def last_s(self) -> float:
        """Seconds until the last reader had all, the median of the rounds."""
        return statistics.median(one.last_s for one in self.rounds)

    @property
    def growth_mb(self) -> float:
        """By how much all of weir grew at the most."""
        return self.peak_mb["total"] - self.before_mb["total"]
