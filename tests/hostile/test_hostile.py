"""Every attack at its small size does no harm; ``make hostile`` runs each in all its modes."""

import random
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.hostile.attack import Run, runs_by_turns
from tests.hostile.judge import SHORT, judge
from tests.hostile.stage import Stage, stage


class Stages:
    """The weir that stands at present: attacks that need the same one share it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._stands: tuple[str, ...] | None = None
        self._stage: Stage | None = None

    def of(self, run: Run) -> Stage:
        """Return the weir that an attack needs."""
        if self._stage is None or self._stands != run.needs:
            self.end()
            self._stage = self._stack.enter_context(stage(*run.needs))
            self._stands = run.needs
        return self._stage

    def end(self) -> None:
        """End the weir; what a harmful attack leaves of it judges no other attack."""
        self._stage = None
        self._stack.close()


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    shared = Stages()
    yield shared
    shared.end()


@pytest.mark.parametrize("run", runs_by_turns(), ids=str)
def test_an_attack_does_no_harm(run: Run, stages: Stages):
    seed = random.randrange(10**9)
    verdict = judge(stages.of(run), run, run.attack.small, seed, SHORT)
    if verdict.hard:
        stages.end()
    assert not verdict.wrong, f"seed {seed}"
