"""Attacks at their small sizes do no harm; ``make hostile`` runs each in all its modes."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.hostile.attack import Run, runs_by_turns
from tests.hostile.judge import SHORT, judge
from tests.hostile.stage import Stage, stage
from tests.processes import ROOT

COVERED = {
    "acp_lines": "tests/blackbox/test_acp_garbage.py",
    "big_heads": "tests/unit/gateway/door/test_head.py",
    "endless_bodies": "tests/blackbox/test_door.py",
    "guarded_door": "tests/unit/gateway/access/test_generated_requests.py",
    "huge_events": "tests/blackbox/test_gateway_streams.py",
    "many_headers": "tests/unit/gateway/door/test_head.py",
    "nested_bodies": "tests/unit/bus/test_depth.py",
    "odd_requests": "tests/unit/gateway/resources/test_properties.py",
    "silent_bodies": "tests/unit/gateway/door/test_reception.py",
    "silent_connections": "tests/unit/gateway/workers/test_acceptance.py",
    "slow_heads": "tests/unit/gateway/door/test_reception.py",
    "thousand_turns": "tests/blackbox/test_native_bounds.py",
    "tiny_chunks": "tests/unit/gateway/door/test_reception.py",
}
"""Attacks that are left to ``make hostile``, and cheaper tests of what each attack is about."""
SEED = 20261128
"""What an attack sends is the same each time; ``make hostile`` chooses another seed."""


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


def test_what_is_left_out_is_covered_elsewhere() -> None:
    assert COVERED.keys() <= {run.name for run in runs_by_turns()}
    assert [file for file in COVERED.values() if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize(
    "run", [run for run in runs_by_turns() if run.name not in COVERED], ids=str
)
def test_an_attack_does_no_harm(run: Run, stages: Stages):
    verdict = judge(stages.of(run), run, run.attack.small, SEED, SHORT)
    if verdict.hard:
        stages.end()
    assert not verdict.wrong
