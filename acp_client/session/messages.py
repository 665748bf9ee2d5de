"""Which messages of a session are known, who wrote each, and which have ended."""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

USER, ASSISTANT = "user", "assistant"
_MOST = 4096


class Known(Struct):
    """A message.

    Attributes:
        role: `USER` or `ASSISTANT`.
        completed: the server has said so; its tokens are counted.
        ended: nothing more of it is for the editor.
        watched: it was seen from its beginning on, so the first delta of a part is its first, and
            nothing follows its completion.
    """

    role: str
    completed: bool = False
    ended: bool = False
    watched: bool = False


class Messages:
    """A bounded memory of messages; the oldest are forgotten first."""

    def __init__(self, most: int = _MOST) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._most = most

    def get(self, message_id: str) -> Known | None:
        """Return what is known of a message."""
        return self._known.get(message_id)

    def note(self, message_id: str, role: str, watched: bool = False) -> Known:
        """Remember a message, or return what is known of it."""
        known = self._known.get(message_id)
        if known is None:
            known = self._known[message_id] = Known(role, ended=role == USER, watched=watched)
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return known

    def end_completed(self) -> list[str]:
        """End the messages that are completed, and return them."""
        found = [one for one, known in self._known.items() if known.completed and not known.ended]
        for one in found:
            self._known[one].ended = True
        return found

    def lose_sight(self) -> None:
        """Note a hole: what began before it has not been seen whole."""
        for known in self._known.values():
            known.watched = False
