"""A quarter of a minute of the soak; `make soak` runs ten."""

import pytest

from tests.faults.soaked import DEADLINE_S, soaked

_SECONDS = 12  # and what the last turns, and the end of everything, take


@pytest.mark.timeout(DEADLINE_S)
def test_every_reader_behind_the_fault_proxy_holds_every_answer_whole():
    assert "reset" in soaked(_SECONDS, readers=16, users=4)
