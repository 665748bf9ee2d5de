"""The messages of a session that have been seen: their roles, and which of them have ended."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

USER, ASSISTANT = "user", "assistant"
_MOST = 4096


class Known(Struct):
    """What is known about one message.

    Attributes:
        role: `USER` or `ASSISTANT`.
        completed: whether the server has said that the message is complete.
        ended: whether the editor gets no further updates of the message.
        watched: whether all events of the message since its beginning were seen. Then nothing of
            the message follows the event that completes it.
    """

    role: str
    completed: bool = False
    ended: bool = False
    watched: bool = False


class Messages:
    """A table of messages with a bounded size; the oldest messages are dropped first."""

    def __init__(self, most: int = _MOST) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._most = most

    def get(self, message_id: str) -> Known | None:
        """Return the entry of a message; None if the message has not been seen."""
        return self._known.get(message_id)

    def note(self, message_id: str, role: str, watched: bool = False) -> Known:
        """Return the entry of a message; add an entry if the message is new."""
        known = self._known.get(message_id)
        if known is None:
            known = self._known[message_id] = Known(role, ended=role == USER, watched=watched)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return known

    def end_completed(self) -> list[str]:
        """Mark all completed messages as ended; return the ids of those that were not before."""
        found = [one for one, known in self._known.items() if known.completed and not known.ended]
        for one in found:
            self._known[one].ended = True
        return found

    def note_gap(self) -> None:
        """Note a gap: of all messages so far, events may have been missed."""
        for known in self._known.values():
            known.watched = False
