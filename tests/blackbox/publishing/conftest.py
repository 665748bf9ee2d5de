"""One weir for all tests of agents, and a session of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.weir_up import Up, weir_up


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A deployment that the tests share; those that hurt it wait until it is well again."""
    with weir_up(tmp_path_factory.mktemp("publishing"), "--workers", "2") as shared:
        yield shared
        assert "Traceback" not in shared.output


@pytest.fixture
def session(up: Up, tmp_path: Path) -> str:
    """The id of a new session in the folder of the test."""
    return up.session(str(tmp_path))
