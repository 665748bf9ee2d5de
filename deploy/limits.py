"""The limits of `weir up` for its processes; the watchdog restarts a process that exceeds them."""

from __future__ import annotations

import re

from msgspec import Struct

from bus.process import flags
from bus.process.flags import Flag, Kind

_MIB = 1024 * 1024
_LEAST, _MOST = 32 * _MIB, 1024 * 1024 * _MIB
_UNITS = {"": _MIB, "M": _MIB, "G": 1024 * _MIB}
_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?) ?([MG]?)(?:i?B)?", re.IGNORECASE)


class Limits(Struct, frozen=True):
    """The limits for each process.

    Attributes:
        hang_s: for how many seconds the event loop of a process may be blocked.
        memory_bytes: how much memory a process may use; 0: no limit.
    """

    hang_s: float
    memory_bytes: int = 0


def _memory(value: str) -> int:
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError
    size = int(float(match[1]) * _UNITS[match[2].upper()])
    if size and not _LEAST <= size <= _MOST:
        raise ValueError
    return size


HANG_LIMIT = Flag(
    "hang-limit",
    flags.number(2, 3600, "seconds"),
    10.0,
    "for how long the event loop of a process may be blocked before the process is restarted",
)
MEMORY_LIMIT = Flag(
    "memory-limit",
    Kind(_memory, "MiB, or a size such as 512M or 2G, from 32M to 1024G; 0: no limit"),
    0,
    "how much memory the processor or a worker of the gateway may use before it is restarted",
)
LIMIT_FLAGS = (HANG_LIMIT, MEMORY_LIMIT)
