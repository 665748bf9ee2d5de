"""Events that came too early: a delta before its part, a part before its message.

They wait for a limited time, in order. Then the session asks the server once. Events beyond the
bounds are dropped, and their message is treated as one with a hole.
"""

from __future__ import annotations

from msgspec import Struct, field

from acp_client.protocol.wire import Delta, Part

Early = Delta | Part
_MOST_EVENTS = 20_000
_MOST_CHARACTERS = 16 * 1024 * 1024


class Waiting(Struct):
    """The waiting events of one message."""

    events: list[Early] = field(default_factory=list)
    characters: int = 0
    overflowed: bool = False


class EarlyEvents:
    """The early events of one session, by message."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}
        self.asked: set[str] = set()
        """Messages that the server was asked for; it is asked only once."""

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def hold(self, event: Early) -> None:
        """Add an event to those that wait for its message."""
        waiting = self._waiting.setdefault(event.messageID, Waiting())
        waiting.characters += len(event.delta if isinstance(event, Delta) else event.text)
        if len(waiting.events) >= _MOST_EVENTS or waiting.characters > _MOST_CHARACTERS:
            waiting.overflowed = True
        if waiting.overflowed:
            waiting.events.clear()
        else:
            waiting.events.append(event)

    def unasked(self) -> list[str]:
        """Return the messages that events wait for, and that the server was not asked for."""
        return [message_id for message_id in self._waiting if message_id not in self.asked]

    def take(self, message_id: str) -> Waiting:
        """Remove and return the waiting events of a message."""
        return self._waiting.pop(message_id, Waiting())

    def take_deltas(self, message_id: str, part_id: str) -> str:
        """Remove and return the waiting text of a part."""
        waiting = self._waiting.get(message_id)
        if waiting is None:
            return ""
        mine = [e for e in waiting.events if isinstance(e, Delta) and e.partID == part_id]
        waiting.events = [e for e in waiting.events if _is_not_of(e, part_id)]
        if not waiting.events:
            del self._waiting[message_id]
        return "".join(one.delta for one in mine)

    def clear(self) -> None:
        """Drop all waiting events: after a hole it is unknown where they belong."""
        self._waiting.clear()


def _is_not_of(event: Early, part_id: str) -> bool:
    return not isinstance(event, Delta) or event.partID != part_id
