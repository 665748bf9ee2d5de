"""Frames of the bus: what goes in comes out, and whatever else comes in is refused."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bus.envelope import Envelope
from bus.events import Delta, Opaque
from bus.transport.codec import Batch, Heartbeat, MalformedFrame, decode, encode

TEXT = st.text(max_size=20)
NAME = st.none() | TEXT
NUMBER = st.integers(0, 2**63 - 1)
EVENTS = st.builds(Delta, NAME, TEXT, TEXT, TEXT, TEXT, TEXT, NAME) | st.builds(
    Opaque, TEXT, NAME, NAME, NAME, NAME, st.booleans(), st.binary(max_size=50)
)
ENVELOPES = st.builds(Envelope, TEXT, TEXT, NUMBER, NUMBER, NAME, NAME, NAME, EVENTS)
FRAMES = st.builds(Batch, st.lists(ENVELOPES, max_size=5)) | st.builds(
    Heartbeat, TEXT, TEXT, NUMBER, NUMBER
)
EVENT = Opaque("x", None, None, None, None, False, b"{}")
BATCH = encode(Batch([Envelope("p1", "e1", 1, 2, "/d", None, None, EVENT)]))


@given(FRAMES)
def test_a_frame_survives_the_trip(frame):
    assert decode(encode(frame)) == frame


@given(st.binary(max_size=200) | st.binary(max_size=30).map(BATCH.__add__))
@example(b"")
@example(b"\x92\x01\xdd\xff\xff\xff\xff")
@example(b"\x95\x02\xdb\xff\xff\xff\xff")
@example(b"\x95\x02\xa1\xff\xa1a\x01\x01")
@example(b"\x92\x01" + b"\x91" * 100_000)
@example(b"\x81" * 100_000)
def test_any_bytes_are_a_frame_or_malformed(data):
    check(data)


@given(st.integers(0, len(BATCH) - 1), st.integers(0, 255))
def test_a_frame_with_one_byte_changed_is_a_frame_or_malformed(place, byte):
    check(BATCH[:place] + bytes([byte]) + BATCH[place + 1 :])


@pytest.mark.parametrize("length", range(len(BATCH)))
def test_a_frame_that_was_cut_is_malformed(length):
    with pytest.raises(MalformedFrame, match=f"{length} bytes"):
        decode(BATCH[:length])


def check(data):
    with contextlib.suppress(MalformedFrame):
        assert isinstance(decode(data), Batch | Heartbeat)
