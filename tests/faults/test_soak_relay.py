"""A little of the soak in front of an upstream; a file of its own, since files run at once."""

import pytest

from tests.faults.soaked import DEADLINE_S, soaked

_SECONDS = 5  # and what the last turns, and the end of everything, take


@pytest.mark.timeout(DEADLINE_S)
def test_every_reader_holds_what_the_upstream_stores_with_faults_on_both_sides():
    assert "faults, upstream: " in soaked(_SECONDS, "--relay", readers=8, users=3)
