"""Events that have arrived too early: a delta before its part, or a part before its message.

They wait, in order, for a limited time. Then their message is fetched from the server, once. If
too many events of a message wait, these events are dropped, and the message is treated as if
events had been missed.
"""

from __future__ import annotations

from msgspec import Struct, field

from acp_client.protocol.wire import Delta, Part

Early = Delta | Part
_MOST_EVENTS = 20_000
_MOST_CHARACTERS = 16 * 1024 * 1024


class Waiting(Struct):
    """The events of one message that wait; if there are too many, `overflowed` and no events."""

    events: list[Early] = field(default_factory=list)
    characters: int = 0
    overflowed: bool = False


class EarlyEvents:
    """The events of one session that have arrived too early, by the id of their message."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}
        self.asked: set[str] = set()
        """The ids of the messages that were fetched already; each is fetched only once."""

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def hold(self, event: Early) -> None:
        """Let an event wait for its part or message."""
        waiting = self._waiting.setdefault(event.messageID, Waiting())
        waiting.characters += len(event.delta if isinstance(event, Delta) else event.text)
        if len(waiting.events) >= _MOST_EVENTS or waiting.characters > _MOST_CHARACTERS:
            waiting.overflowed = True
        if waiting.overflowed:
            waiting.events.clear()
        else:
            waiting.events.append(event)

    def unasked(self) -> list[str]:
        """Return the ids of the messages for which events wait, and that were not fetched yet."""
        return [message_id for message_id in self._waiting if message_id not in self.asked]

    def take(self, message_id: str) -> Waiting:
        """Remove the events that wait for a message, and return them."""
        return self._waiting.pop(message_id, Waiting())

    def take_deltas(self, message_id: str, part_id: str) -> str:
        """Remove the deltas that wait for a part, and return their text."""
        waiting = self._waiting.get(message_id)
        if waiting is None:
            return ""
        mine = [e for e in waiting.events if isinstance(e, Delta) and e.partID == part_id]
        waiting.events = [e for e in waiting.events if _is_not_of(e, part_id)]
        if not waiting.events:
            del self._waiting[message_id]
        return "".join(one.delta for one in mine)

    def clear(self) -> None:
        """Drop all events that wait: after a gap it is unknown where their text belongs."""
        self._waiting.clear()


def _is_not_of(event: Early, part_id: str) -> bool:
    return not isinstance(event, Delta) or event.partID != part_id
