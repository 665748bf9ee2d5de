"""The memory that one answer takes while it is made."""

from __future__ import annotations

from bus.events.message import Failure
from processor.engines.engine import ModelError
from processor.native.bounds import TURN_MEMORY
from processor.native.room import MemoryRoom

LITTLE = 1024 * 1024
"""An answer up to this length continues, even if all turns together exceed their limit."""


class Growth:
    """Counts the text of one answer against the memory of all turns."""

    def __init__(self, room: MemoryRoom) -> None:
        self._room = room
        self._length = 0

    def add(self, length: int) -> None:
        """Count text that is about to be appended.

        Raises:
            ModelError: all turns together have reached their limit.
        """
        self._length += length
        if not self._room.grow(length) and self._length > LITTLE:
            raise ModelError(_no_room(self._room.size))

    def resume(self, length: int) -> None:
        """Count text that another processor has already taken."""
        self._length += length
        self._room.grow(length)

    def give_back(self) -> None:
        """Return the memory of an answer that no longer grows."""
        self._room.give_back(self._length)
        self._length = 0


def _no_room(most: int) -> Failure:
    message = (
        f"the turns that run hold more than the {most} bytes of --{TURN_MEMORY.name}, and this "
        "turn has a long answer; try again later"
    )
    return Failure("APIError", {"message": message, "isRetryable": True})
