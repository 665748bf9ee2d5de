"""The rig of most tests of turns; some have one of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.processor.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.turns.abort_all(5)
    rig.close()
