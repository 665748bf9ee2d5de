"""Where the frames of a WebSocket end, whatever the pieces in which they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.frame_boundary import FrameBoundary, close_frame
from tests.websocket import frame

LENGTHS = st.one_of(
    st.integers(0, 300), st.sampled_from([125, 126, 127, 65535, 65536]), st.integers(0, 70_000)
)
FRAMES = st.lists(
    st.builds(
        frame,
        LENGTHS.map(bytes),
        opcode=st.sampled_from([0, 1, 2, 8, 9, 10]),
        masked=st.booleans(),
        last=st.booleans(),
    ),
    max_size=6,
)


@given(frames=FRAMES, cuts=st.lists(st.integers(0, 400_000), max_size=12))
def test_a_boundary_is_reached_exactly_where_a_frame_ends(frames, cuts):
    ends = {0}
    for one in frames:
        ends.add(max(ends) + len(one))
    data, boundary, before = b"".join(frames), FrameBoundary(), 0
    for cut in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        boundary.feed(data[before:cut])
        before = cut
        assert boundary.reached is (cut in ends)


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("masked", [False, True])
def test_a_frame_may_come_byte_by_byte(length, masked):
    boundary = FrameBoundary()
    data = frame(bytes(length), masked=masked)
    for byte in data[:-1]:
        boundary.feed(bytes([byte]))
        assert not boundary.reached
    boundary.feed(data[-1:])
    assert boundary.reached


def test_a_close_frame_says_why():
    assert close_frame(1001) == frame((1001).to_bytes(2, "big"), opcode=8)
