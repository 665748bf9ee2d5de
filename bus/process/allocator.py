"""Sets up the C library's allocator for a process that handles large messages now and then.

glibc serves a large block from the system, and gives it back when the block is freed. But each
time it raises the size from which a block counts as large, up to 32 MB. After some messages of
megabytes the heap is full of holes of that size, and none is ever given back. A threshold that is
set once stays.
"""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 4 * 1024 * 1024


def give_back_large_blocks() -> None:
    """Set the threshold of this process, and of all that it forks; elsewhere do nothing."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
