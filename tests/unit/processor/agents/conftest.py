import pytest

from tests.unit.processor.agents.author import Author
from tests.unit.processor.rig import Rig


@pytest.fixture
def author(rig: Rig) -> Author:
    return Author(rig)
