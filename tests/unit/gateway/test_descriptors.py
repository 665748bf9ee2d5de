"""How many connections there is room for."""

import pytest

from gateway.descriptors import Room, room_within


@pytest.mark.parametrize(
    ("descriptors", "room"),
    [
        (1_000_000, Room(4096, 1024)),
        (4096 + 2048, Room(4096, 1024)),
        (4096 + 2047, Room(4096, 767)),
        (960, Room(720, 120)),
        (10, Room(8, 1)),
        (0, Room(1, 1)),
    ],
)
def test_streams_leave_room_for_other_requests(descriptors, room):
    assert room_within(descriptors, 4096) == room
