"""Counts the memory that an answer takes while a model or an agent writes it."""

from __future__ import annotations

from bus.events.message import Failure
from processor.engines.engine import ModelError
from processor.native.bounds import TURN_MEMORY
from processor.native.room import MemoryRoom

LITTLE = 1024 * 1024
"""Answers up to this length, in characters, continue even if all turns exceed their limit."""


class Growth:
    """Adds the text of one answer to the memory that all turns share (``--turn-memory``)."""

    def __init__(self, room: MemoryRoom) -> None:
        self._room = room
        self._length = 0

    def add(self, length: int) -> None:
        """Count `length` characters that are about to be appended to the answer.

        Raises:
            ModelError: all turns together exceed their limit, and this answer is a long one.
        """
        self._length += length
        if not self._room.grow(length) and self._length > LITTLE:
            raise ModelError(_no_room(self._room.size))

    def resume(self, length: int) -> None:
        """Count text of an unfinished answer that the last processor has saved; never fails."""
        self._length += length
        self._room.grow(length)

    def give_back(self) -> None:
        """Free the memory that was counted for the answer, since its turn ends."""
        self._room.give_back(self._length)
        self._length = 0


def _no_room(most: int) -> Failure:
    message = (
        f"the turns that run hold more than the {most} bytes of --{TURN_MEMORY.name}, and this "
        "turn has a long answer; try again later"
    )
    return Failure("APIError", {"message": message, "isRetryable": True})
