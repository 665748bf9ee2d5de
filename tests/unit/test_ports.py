"""Which ports tests hand out: none that the system gives to outgoing connections."""

import pytest

from tests.ports import outside


@pytest.mark.parametrize(
    ("systems", "ports"),
    [
        ((32_768, 60_999), (20_000, 29_999)),
        ((49_152, 65_535), (20_000, 29_999)),
        ((10_000, 19_999), (20_000, 29_999)),
        ((16_000, 65_535), (6_000, 15_999)),
        ((5_000, 40_000), (40_001, 50_000)),
        ((1_024, 65_535), (20_000, 29_999)),
    ],
)
def test_ports_are_outside_the_range_of_the_system(systems, ports):
    found = outside(range(systems[0], systems[1] + 1))
    assert (found[0], found[-1]) == ports
