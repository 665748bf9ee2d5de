"""The names of all keys in Redis, and the ids of stream entries; see `bus.redis`.

The number in the names is the version of the format: versions of weir that cannot read each
other's frames never meet.
"""

from __future__ import annotations

from bus.epoch import started_ms

SOURCES = "weir1:sources"
FRAME = b"b"
EPOCH = b"e"


def log_of(source: str) -> str:
    """Return the key of a source's stream."""
    return f"weir1:{{{source}}}:log"


def lease_of(source: str) -> str:
    """Return the key of a source's lease."""
    return f"weir1:{{{source}}}:lease"


def snapshot_of(source: str) -> str:
    """Return the key of a source's stored snapshot."""
    return f"weir1:{{{source}}}:snapshot"


def commands_of(source: str) -> str:
    """Return the key of the commands for a source."""
    return f"weir1:{{{source}}}:commands"


def answers_of(bridge: str) -> str:
    """Return the key of the answers for a bridge."""
    return f"weir1:answers:{bridge}"


def entry_id(epoch: str, seq: int) -> str:
    """Return the id of the entry whose last event has the number `seq`."""
    return f"{started_ms(epoch)}-{seq}"


def parts_of(entry: bytes) -> tuple[int, int]:
    """Return the two numbers of an entry's id: the start of its epoch (ms), and its last seq."""
    ms, _, seq = entry.partition(b"-")
    return int(ms), int(seq)
