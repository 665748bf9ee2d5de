"""Frames of the PUB socket, as msgpack.

A frame is a `Batch` of envelopes with contiguous seqs, or a `Heartbeat`. Sending batches is faster
than sending one message for each event; a single event is still sent at once.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from bus.envelope import Envelope
from bus.malformed import MALFORMED


class Batch(Struct, frozen=True, array_like=True, gc=False, tag=1):
    """Envelopes of one source and epoch, in order and without a gap."""

    envelopes: list[Envelope]


class Heartbeat(Struct, frozen=True, array_like=True, tag=2):
    """Sent every second: the source is alive, and `seq` is its last published event."""

    source: str
    epoch: str
    seq: int
    time_ns: int


Frame = Batch | Heartbeat


class MalformedFrame(ValueError):
    """The bytes are not a frame of this bus."""


encode: Callable[[Frame], bytes] = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def decode(data: bytes) -> Frame:
    """Decode a frame.

    Raises:
        MalformedFrame: `data` is not a frame.
    """
    try:
        return _decoder.decode(data)
    except MALFORMED as error:
        raise MalformedFrame(f"malformed bus frame of {len(data)} bytes: {error}") from error
