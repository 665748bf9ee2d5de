"""The cache of parts: type and progress of each part of the messages that have not ended.

A delta does not have its part's type, and other agents are slow because they ask the server at
each delta. So a part's type and progress are kept until its message ends.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from msgspec import Struct, field

from acp_client.content.tools import Shown
from acp_client.session.text import PartText

_MOST = 4096


class CachedPart(Struct):
    """A part, and what the editor has of it."""

    messageID: str
    type: str
    hidden: bool = False
    text: PartText = field(default_factory=PartText)
    shown: Shown | None = None


class Parts:
    """A bounded cache of parts, by id; the oldest are dropped first."""

    def __init__(self, most: int = _MOST) -> None:
        self._parts: OrderedDict[str, CachedPart] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._parts)

    def get(self, part_id: str) -> CachedPart | None:
        """Return a part, None if it is not in the cache."""
        return self._parts.get(part_id)

    def add(self, part_id: str, part: CachedPart) -> CachedPart:
        self._parts[part_id] = part
        if len(self._parts) > self._most:
            self._parts.popitem(last=False)
        return part

    def drop(self, part_id: str) -> None:
        self._parts.pop(part_id, None)

    def take(self, message_id: str) -> list[tuple[str, CachedPart]]:
        """Remove the parts of a message, and return them."""
        found = [item for item in self._parts.items() if item[1].messageID == message_id]
        for part_id, _ in found:
            del self._parts[part_id]
        return found

    def lose_place(self) -> None:
        """Note a hole in the stream."""
        for part in self._parts.values():
            part.text.lose_place()

    def __iter__(self) -> Iterator[tuple[str, CachedPart]]:
        return iter(list(self._parts.items()))
