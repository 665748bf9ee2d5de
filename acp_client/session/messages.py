"""Which messages of a session are known: their roles, and which have ended."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

USER, ASSISTANT = "user", "assistant"
_MOST = 4096


class Known(Struct):
    """What is known about one message.

    Attributes:
        role: `USER` or `ASSISTANT`.
        completed: the server has reported that the message is complete; its tokens are counted.
        ended: the editor gets no further updates of the message.
        watched: this process has seen the message from its beginning, so it has missed no delta,
            and nothing follows the completion.
    """

    role: str
    completed: bool = False
    ended: bool = False
    watched: bool = False


class Messages:
    """A bounded table of messages; the oldest are dropped first."""

    def __init__(self, most: int = _MOST) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._most = most

    def get(self, message_id: str) -> Known | None:
        """Return the entry of a message, None if it is not known."""
        return self._known.get(message_id)

    def note(self, message_id: str, role: str, watched: bool = False) -> Known:
        """Return the entry of a message, after adding it if it is new."""
        known = self._known.get(message_id)
        if known is None:
            known = self._known[message_id] = Known(role, ended=role == USER, watched=watched)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return known

    def end_completed(self) -> list[str]:
        """End the completed messages, and return their ids."""
        found = [one for one, known in self._known.items() if known.completed and not known.ended]
        for one in found:
            self._known[one].ended = True
        return found

    def lose_sight(self) -> None:
        """Note a hole: messages that began before it are no longer watched."""
        for known in self._known.values():
            known.watched = False
