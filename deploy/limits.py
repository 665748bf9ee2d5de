"""The limits past which the watchdog restarts a process of a deployment."""

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
    """The limits of each process.

    Attributes:
        hang_s: how long its loop may stand still.
        memory_bytes: how much memory it may use; 0: no limit.
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
    "how long a process's loop may stand still before the process is restarted",
)
MEMORY_LIMIT = Flag(
    "memory-limit",
    Kind(_memory, "MiB, or a size such as 512M or 2G, from 32M to 1024G; 0: no limit"),
    0,
    "memory that the processor or a worker may use before it is restarted",
)
LIMIT_FLAGS = (HANG_LIMIT, MEMORY_LIMIT)
