"""How many connections a worker may have, given how many files it may have open.

A worker that reached the limit of open files could accept no connection, and could not answer
health checks. So this limit is raised as far as possible, and event streams are refused before the
limit is reached.
"""

from __future__ import annotations

import logging
import resource

from msgspec import Struct
from msgspec.structs import replace

log = logging.getLogger("weir.gateway")

_BESIDE_STREAMS = 1024
_LEAST_SHARE = 8  # if the limit of open files is low, 1/8 of it is for requests beside streams
_OF_A_REQUEST = 2  # open files: the client's connection, and perhaps another to the upstream
_OF_A_WORKER = 64
_WEBSOCKETS = 256
_OF_A_WEBSOCKET = 2
_MOST_SHARE = 4  # if the limit of open files is low, at most 1/4 of it is for WebSockets
_OF_A_BUS = 8


class DescriptorRoom(Struct, frozen=True):
    """How many connections of each kind a worker may have.

    Attributes:
        streams: connections with event streams.
        others: connections with other requests, or idle ones.
        websockets: WebSockets; each also has a connection to the upstream.
    """

    streams: int
    others: int
    websockets: int = 0


def make_room(max_readers: int, buses: int, proxies: bool = False) -> DescriptorRoom:
    """Raise this process's limit of open files as far as needed, and return what it allows.

    Args:
        max_readers: the wanted number of event streams.
        buses: the number of processors to which the worker connects.
        proxies: there is an upstream, to which WebSockets are passed on.
    """
    own = _OF_A_WORKER + _OF_A_BUS * buses
    most = _WEBSOCKETS if proxies else 0
    limit = _raised(max_readers + _OF_A_REQUEST * _BESIDE_STREAMS + _OF_A_WEBSOCKET * most + own)
    websockets = min(most, (limit - own) // (_OF_A_WEBSOCKET * _MOST_SHARE))
    room = room_within(limit - own - _OF_A_WEBSOCKET * websockets, max_readers)
    room = replace(room, websockets=websockets)
    if room.streams < max_readers:
        log.warning(
            "--max-readers: a worker holds at most %d event streams instead of %d, since it may "
            "open only %d files; raise the limit of open files (ulimit -Hn, LimitNOFILE)",
            room.streams,
            max_readers,
            limit,
        )
    return room


def room_within(descriptors: int, max_readers: int) -> DescriptorRoom:
    """Return how many event streams, up to `max_readers`, and other connections are possible.

    Args:
        descriptors: how many files the worker may open for them.
        max_readers: the wanted number of event streams.
    """
    if descriptors >= max_readers + _OF_A_REQUEST * _BESIDE_STREAMS:
        return DescriptorRoom(max_readers, _BESIDE_STREAMS)
    others = max(1, min(_BESIDE_STREAMS, descriptors // _LEAST_SHARE))
    return DescriptorRoom(max(1, min(max_readers, descriptors - _OF_A_REQUEST * others)), others)


def _raised(wanted: int) -> int:
    """Raise this process's limit of open files to `wanted` if possible; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as error:
        log.warning("the limit of open files stays at %d, not %d: %s", soft, most, error)
        return soft
    return most
