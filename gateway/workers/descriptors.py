"""How many connections a worker may have: limited by how many files it may have open.

A worker at its limit accepts no connection, and does not answer health either. So the limit is
raised as far as possible, and streams are refused before it is reached.
"""

from __future__ import annotations

import logging
import resource

from msgspec import Struct
from msgspec.structs import replace

log = logging.getLogger("weir.gateway")

_BESIDE_STREAMS = 1024
_LEAST_SHARE = 8  # if the limit is too low, the others get a share of 1/8
_OF_A_REQUEST = 2  # a request that is passed on also has a connection to the upstream
_OF_A_WORKER = 64
_WEBSOCKETS = 256
_OF_A_WEBSOCKET = 2
_MOST_SHARE = 4  # of a limit that is too low, what is for WebSockets: one in so many at most
_OF_A_BUS = 8


class DescriptorRoom(Struct, frozen=True):
    """How many connections a worker may have.

    Attributes:
        streams: event streams.
        others: all other connections.
        websockets: WebSockets; each has a connection to the upstream as well.
    """

    streams: int
    others: int
    websockets: int = 0


def make_room(max_readers: int, buses: int, proxies: bool = False) -> DescriptorRoom:
    """Raise this process's limit of open files as far as needed, and return what fits in it.

    Args:
        max_readers: the wanted number of streams.
        buses: the number of buses that the worker listens to.
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
            "--max-readers: a worker holds at most %d streams instead of %d, "
            "since it may open %d files; raise that limit (ulimit -Hn, LimitNOFILE)",
            room.streams,
            max_readers,
            limit,
        )
    return room


def room_within(descriptors: int, max_readers: int) -> DescriptorRoom:
    """Return how many connections fit in so many file descriptors."""
    if descriptors >= max_readers + _OF_A_REQUEST * _BESIDE_STREAMS:
        return DescriptorRoom(max_readers, _BESIDE_STREAMS)
    others = max(1, min(_BESIDE_STREAMS, descriptors // _LEAST_SHARE))
    return DescriptorRoom(max(1, min(max_readers, descriptors - _OF_A_REQUEST * others)), others)


def _raised(wanted: int) -> int:
    """Return the limit of open files, after raising it to `wanted` if possible."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError) as error:
        log.warning("the limit of open files stays at %d: %s", soft, error)
        return soft
    return most
