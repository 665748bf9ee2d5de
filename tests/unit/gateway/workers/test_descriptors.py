"""How many connections there is room for."""

import pytest

from gateway.workers.descriptors import DescriptorRoom, room_within


@pytest.mark.parametrize(
    ("descriptors", "room"),
    [
        (1_000_000, DescriptorRoom(4096, 1024)),
        (4096 + 2048, DescriptorRoom(4096, 1024)),
        (4096 + 2047, DescriptorRoom(4096, 767)),
        (960, DescriptorRoom(720, 120)),
        (10, DescriptorRoom(8, 1)),
        (0, DescriptorRoom(1, 1)),
    ],
)
def test_streams_leave_room_for_other_requests(descriptors, room):
    assert room_within(descriptors, 4096) == room
