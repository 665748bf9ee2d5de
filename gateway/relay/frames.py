"""Encodes events as ``text/event-stream``: an ``id:`` line, a ``data:`` line, an empty line."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from bus.envelope import Envelope
from gateway.relay.view import Endpoint

PIECE_BYTES = 32 * 1024

_encode = msgspec.json.Encoder().encode


def frame(envelope: Envelope, endpoint: Endpoint, event_id: str) -> list[bytes]:
    """Return the frame of an event as a list of byte strings; the payload is not copied.

    If `event_id` is empty, the frame has no ``id:`` line, and the client keeps its last id.
    """
    prefix, suffix = around(envelope, endpoint)
    return [id_line(event_id), prefix, _one_line(envelope.event.json()), suffix]


def around(envelope: Envelope, endpoint: Endpoint) -> tuple[bytes, bytes]:
    """Return the bytes before and after an event's JSON in its frame."""
    if endpoint is Endpoint.GLOBAL:
        return _wrapping(envelope.directory, envelope.project, envelope.workspace), b"}\n\n"
    return b"data: ", b"\n\n"


def server_frame(
    event_type: str, evt_id: str, endpoint: Endpoint, event_id: str, **properties: Any
) -> bytes:
    """Return a frame with an event that the gateway itself makes.

    Args:
        event_type: ``server.connected`` or ``server.heartbeat``.
        evt_id: the ``id`` in the event's JSON, ``evt_…``.
        endpoint: `/global/event` wraps the event in ``payload``.
        event_id: the ``id:`` of the frame, which names the reader's position; empty for none.
        properties: the ``properties`` in the event's JSON.
    """
    event: object = {"id": evt_id, "type": event_type, "properties": properties}
    if endpoint is Endpoint.GLOBAL:
        event = {"payload": event}
    return b"%bdata: %b\n\n" % (id_line(event_id), _encode(event))


def id_line(event_id: str) -> bytes:
    """Return the ``id:`` line of a frame; empty if `event_id` is empty."""
    return b"id: %b\n" % _one_line(event_id.encode()) if event_id else b""


def _one_line(data: bytes) -> bytes:
    """Return text from the bus with spaces for line ends, which would end the line of the frame.

    JSON allows line ends between values. No processor sends them, and then nothing is copied.
    """
    return data.replace(b"\n", b" ").replace(b"\r", b" ")


def joined(frames: list[list[bytes]]) -> tuple[bytes, ...]:
    """Join the byte strings of frames to about `PIECE_BYTES` each; a longer one stays as it is."""
    all_of_them = list(chain.from_iterable(frames))
    if all_of_them and sum(map(len, all_of_them)) <= PIECE_BYTES:
        return (b"".join(all_of_them),)
    pieces: list[bytes] = []
    gathered: list[bytes] = []
    size = 0
    for piece in all_of_them:
        if size + len(piece) > PIECE_BYTES and gathered:
            pieces.append(b"".join(gathered))
            gathered, size = [], 0
        gathered.append(piece)
        size += len(piece)
    if gathered:
        pieces.append(b"".join(gathered))
    return tuple(pieces)


def in_chunks(pieces: Iterable[bytes]) -> bytes:
    """Return byte strings as the chunks of a ``Transfer-Encoding: chunked`` answer."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


@lru_cache(maxsize=1024)
def _wrapping(directory: str | None, project: str | None, workspace: str | None) -> bytes:
    known = {"directory": directory, "project": project, "workspace": workspace}
    head = _encode({name: value for name, value in known.items() if value is not None})
    comma = b"," if len(head) > 2 else b""
    return b'data: %b%b"payload":' % (head[:-1], comma)
