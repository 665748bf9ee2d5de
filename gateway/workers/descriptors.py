"""How many connections a worker may have: limited by how many files it may have open.

A worker at its limit accepts no connection, and does not answer health either. So the limit is
raised as far as possible, and streams are refused before it is reached.
"""

from __future__ import annotations

import logging
import resource

from msgspec import Struct

log = logging.getLogger("weir.gateway")

_BESIDE_STREAMS = 1024
_LEAST_SHARE = 8  # if the limit is too low, the others get a share of 1/8
_OF_A_REQUEST = 2  # a request that is passed on also has a connection to the upstream
_OF_A_WORKER = 64
_OF_A_BUS = 8


class DescriptorRoom(Struct, frozen=True):
    """How many connections a worker may have.

    Attributes:
        streams: event streams.
        others: all other connections.
    """

    streams: int
    others: int


def make_room(max_readers: int, buses: int) -> DescriptorRoom:
    """Raise this process's limit of open files as far as needed, and return what fits in it."""
    own = _OF_A_WORKER + _OF_A_BUS * buses
    limit = _raised(max_readers + _OF_A_REQUEST * _BESIDE_STREAMS + own)
    room = room_within(limit - own, max_readers)
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
