"""Remembers the parts of messages that have not ended: their types, and what the editor has.

A delta does not say whether its part is an answer or reasoning. The type is remembered here, since
fetching it from the server for each delta would be slow.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from msgspec import Struct, field

from acp_client.content.tools import Shown
from acp_client.session.text import PartText

_MOST = 4096


class CachedPart(Struct):
    """A part of a message, and what the editor has received of it.

    Attributes:
        messageID: the id of the message.
        type: the type of the part, such as ``text`` or ``tool``.
        hidden: whether the part is not shown to people.
        text: how much of the text the editor has.
        shown: what the editor has of a tool call or a file; None if it has nothing of it.
    """

    messageID: str
    type: str
    hidden: bool = False
    text: PartText = field(default_factory=PartText)
    shown: Shown | None = None


class Parts:
    """A table of parts by id, with a bounded size; the oldest parts are dropped first."""

    def __init__(self, most: int = _MOST) -> None:
        self._parts: OrderedDict[str, CachedPart] = OrderedDict()
        self._most = most

    def __len__(self) -> int:
        return len(self._parts)

    def get(self, part_id: str) -> CachedPart | None:
        """Return a part by its id; None if it is not in the table."""
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

    def note_gap(self) -> None:
        """Note a gap: of all parts so far, deltas may have been missed."""
        for part in self._parts.values():
            part.text.note_gap()

    def __iter__(self) -> Iterator[tuple[str, CachedPart]]:
        return iter(list(self._parts.items()))
