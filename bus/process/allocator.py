"""Sets up the C library's allocator for a process that sometimes handles large messages.

glibc takes a large block from the system, and returns the block when it is freed. But each time a
large block is freed, glibc raises the size from which a block counts as large, up to 32 MB. Blocks
below this size come from the heap. So after some messages of several megabytes the heap has large
holes, which are never returned. If a program sets the size itself, glibc no longer raises it.
"""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 4 * 1024 * 1024


def give_back_large_blocks() -> None:
    """Set the threshold for this process and its forks, if the C library has this setting."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
