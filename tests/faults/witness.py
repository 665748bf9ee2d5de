"""What one reader of weir holds, and whether it should: sans-I/O, checked after every event.

1. Every stream begins with ``server.connected``.
2. Ids never go back, but where a server says that it has not resumed; a delta's is further than
   all before it, since text that comes twice is text doubled.
3. Nothing is told of what the reader does not hold: a part of its message, a delta of its part.
   Behind an upstream, a cut may have hidden the message: then both are dropped, and come again.
4. A snapshot continues the text that is held. So text only grows, and by induction whatever is
   held at any moment is a prefix of what is held in the end.
5. Only the death of a processor takes text back, and never changes it: what had not been saved.
"""

import json
from typing import Any

from bus.sse import ServerSentEvent
from tests.faults.place import Place
from tests.reference import State

Json = dict[str, Any]


class Broken(AssertionError):
    """A reader got what it must never get."""


class Listener:
    """Folds one reader's events, over any number of connections, whatever they say (rules 1, 2).

    Attributes:
        state: what the reader holds.
        last_event_id: where it stands.
        connections: begun so far; `resumed` of them exactly after `last_event_id`.
        events: taken so far.
    """

    def __init__(self) -> None:
        self.state = State()
        self.last_event_id = ""
        self.connections = 0
        self.resumed = 0
        self.events = 0
        self._place = Place()
        self._begins = False

    def connect(self) -> None:
        """Begin another connection."""
        self.connections += 1
        self._begins = True

    def take(self, event: ServerSentEvent) -> Json:
        """Take the next event, and return it without its `/global/event` wrapping.

        Raises:
            Broken: it must not have come.
        """
        said: Json = json.loads(event.data)
        said = said.get("payload", said)
        if self._begins != (said["type"] == "server.connected"):
            raise self._broken("server.connected is not first", said)
        if self._begins:
            self._begin(exactly=said["properties"]["resumed"])
        self._advance(event.id, said)
        self._check(said)
        self.state.apply(said)
        self.events += 1
        return said

    def _begin(self, exactly: bool) -> None:
        self._begins = False
        self.resumed += exactly
        if not exactly:
            self._place = Place()

    def _advance(self, event_id: str, said: Json) -> None:
        if "~" in event_id:  # upserts: they lead somewhere once all are told
            self.last_event_id = event_id
            return
        place = Place.parse(event_id)
        if not place.reaches(self._place):
            raise self._broken(f"id {event_id} after {self.last_event_id}", said)
        if said["type"] == "message.part.delta" and not place.is_beyond(self._place):
            raise self._broken(f"a delta with the id {event_id} once more", said)
        self.last_event_id, self._place = event_id, place

    def _check(self, said: Json) -> None:
        """Look at an event before it is applied."""

    def _broken(self, what: str, said: Json) -> Broken:
        where = f"event {self.events} (connection {self.connections}, after {self.last_event_id})"
        return Broken(f"{what}: {where}: {json.dumps(said)[:400]}")


class Witness(Listener):
    """Holds the events of weir's own turns against all rules.

    Args:
        may_take_back: a processor dies in the test (rule 5).
        may_miss: an upstream's stream is cut in the test (rule 3).

    Attributes:
        taken_back: most characters that a snapshot took back from a part.
    """

    def __init__(self, may_take_back: bool = False, may_miss: bool = False) -> None:
        super().__init__()
        self.taken_back = 0
        self._may_take_back = may_take_back
        self._may_miss = may_miss

    def text(self, session_id: str) -> str:
        """Return all text that is held of a session, part after part."""
        parts = [p for message in self.state.messages_of(session_id) for p in message["parts"]]
        return "".join(part.get("text", "") for part in parts)

    def _check(self, said: Json) -> None:
        properties = said["properties"]
        if said["type"] == "message.part.delta":
            if properties["partID"] not in self._parts(properties["messageID"]):
                self._miss("a delta of a part that is not held", said)
        elif said["type"] == "message.part.updated":
            part = properties["part"]
            if part["messageID"] not in self.state.parts:
                self._miss("a part of a message that is not held", said)
            self._check_text(part, said)

    def _miss(self, what: str, said: Json) -> None:
        if not self._may_miss:
            raise self._broken(what, said)

    def _check_text(self, part: Json, said: Json) -> None:
        held = self._parts(part["messageID"]).get(part["id"], {}).get("text", "")
        told = part.get("text", "")
        if told.startswith(held):
            return
        if not (self._may_take_back and held.startswith(told)):
            raise self._broken(f"{_difference(held, told)} in place of what is held", said)
        self.taken_back = max(self.taken_back, len(held) - len(told))

    def _parts(self, message_id: str) -> dict[str, Json]:
        return self.state.parts.get(message_id, {})


def _difference(held: str, told: str) -> str:
    """Say where a text leaves the one that is held."""
    pairs = zip(held, told, strict=False)
    at = next((n for n, (one, other) in enumerate(pairs) if one != other), len(told))
    return f"{told[at : at + 20]!r} at {at} of {len(told)} (held: {held[at : at + 20]!r})"
