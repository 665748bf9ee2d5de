"""Turns the events of one session into the updates that the editor lacks. No I/O.

Theory of operation. `apply` takes every event of the session, in the order of the stream, and
returns the updates for the editor.

1. A user's message is not sent, because the editor has shown the prompt already.
2. A part is sent only when its type and the role of its message are known. Deltas and parts that
   arrive before that wait (`early`). If they wait too long, the caller fetches the message from
   the server and passes it to `learn`.
3. When a message has ended, its parts are removed from the cache, and no further update of the
   message is sent. If events were missed, parts may still arrive after the event that completes
   their message; so such a message ends only with its turn.
4. After a gap in the stream (`note_gap`), deltas are dropped until the next snapshot of their part
   arrives. The caller fetches the messages that the server has stored, and passes them to
   `catch_up`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import UNSET

from acp_client.content import tools
from acp_client.content.blocks import block_of_file
from acp_client.content.options import Choices
from acp_client.content.plan import plan_of
from acp_client.content.usage import Meter
from acp_client.protocol import wire
from acp_client.protocol.decode import properties_of
from acp_client.protocol.updates import (
    AgentChunk,
    InfoChanged,
    ModeChanged,
    OptionsChanged,
    TextBlock,
    ThoughtChunk,
    Update,
)
from acp_client.protocol.wire import Delta, Event, Message, Part, Stored
from acp_client.session.early import Early, EarlyEvents
from acp_client.session.messages import ASSISTANT, USER, Messages
from acp_client.session.parts import CachedPart, Parts
from acp_client.session.text import Replacement
from bus.events import catalogue

_CHUNKS: dict[str, type[AgentChunk] | type[ThoughtChunk]] = {
    "text": AgentChunk,
    "reasoning": ThoughtChunk,
}


class Conversation:
    """What the editor has received of one session.

    Args:
        session: the session, as the server describes it.
        choices: the model and the mode that are chosen in the session.
        meter: counts the tokens and the cost of the session.
    """

    def __init__(self, session: wire.Session, choices: Choices, meter: Meter) -> None:
        self.id = session.id
        self.directory = session.directory
        self.choices = choices
        self.early = EarlyEvents()
        self._title = session.title
        self._meter = meter
        self._messages = Messages()
        self._parts = Parts()

    def apply(self, event: Event) -> list[Update]:
        """Take the next event of this session, and return the updates for the editor.

        Raises:
            UnreadableAnswer: the event lacks a field that events of its type must have.
        """
        handler = _HANDLERS.get(event.type)
        return handler(self, event) if handler else []

    def note_gap(self) -> None:
        """Note a gap: events of the session were missed."""
        self.early.clear()
        self._messages.note_gap()
        self._parts.note_gap()

    def learn(self, message_id: str, stored: Stored | None) -> list[Update]:
        """Take a message that was fetched because events of it have waited; return the updates.

        Args:
            message_id: the id of the message.
            stored: the message; None: it could not be fetched.
        """
        if stored is None:
            return []
        known = self._messages.note(message_id, stored.info.role)
        updates = self._message(stored.info)
        waiting = self.early.take(message_id)
        if known.ended:
            return updates
        for part in stored.parts:
            if self._parts.get(part.id) is not None:
                continue
            if known.watched and part.type in _CHUNKS and not part.closed:
                # All deltas of this part have waited here. The stored part may lack the newest of
                # them, so their text is used instead.
                cached = self._remember(part)
                early = cached.text.append(_text_of(waiting.events, part.id))
                updates += self._chunk(part.id, cached, early)
            else:
                updates += self._stored_part(part, known.completed)
        return updates

    def catch_up(self, stored: Iterable[Stored]) -> list[Update]:
        """Take the stored messages of the session, oldest first, and return the updates."""
        updates: list[Update] = []
        for one in stored:
            known = self._messages.note(one.info.id, one.info.role)
            if known.ended:
                continue
            for part in one.parts:
                updates += self._stored_part(part, one.info.time.completed is not None)
            updates += self._message(one.info)
            if known.completed:
                known.ended = True
                updates += self._forget(one.info.id)
        return updates

    def was_shown(self, message: Message) -> None:
        """Note that the editor has a message already; if it is complete, no updates are sent."""
        known = self._messages.note(message.id, message.role)
        known.completed = known.ended = known.ended or message.time.completed is not None

    def unfinished(self, message_id: str) -> bool:
        """Return whether further updates of a message may follow."""
        known = self._messages.get(message_id)
        return known is not None and not known.ended

    def knows(self, message_id: str) -> bool:
        """Return whether a message of this id has been seen in this session."""
        return self._messages.get(message_id) is not None

    def flush(self) -> list[Update]:
        """Return the updates that were held back so far, because the turn has ended."""
        updates: list[Update] = []
        for part_id, part in self._parts:
            updates += self._chunk(part_id, part, part.text.flush())
        for message_id in self._messages.end_completed():
            updates += self._forget(message_id)
        return updates

    def _on_delta(self, event: Event) -> list[Update]:
        return self._delta(properties_of(event, Delta))

    def _on_part(self, event: Event) -> list[Update]:
        return self._part(properties_of(event, wire.PartUpdated).part)

    def _on_message(self, event: Event) -> list[Update]:
        return self._message(properties_of(event, wire.MessageUpdated).info)

    def _on_session(self, event: Event) -> list[Update]:
        session = properties_of(event, wire.SessionChanged).info
        if not session.title or session.title == self._title:
            return []
        self._title = session.title
        return [InfoChanged(title=session.title, updatedAt=session.time.updated_iso or UNSET)]

    def _on_todos(self, event: Event) -> list[Update]:
        return [plan_of(properties_of(event, wire.TodosChanged).todos)]

    def _on_part_removed(self, event: Event) -> list[Update]:
        self._parts.drop(properties_of(event, wire.PartRemoved).partID)
        return []

    def _delta(self, delta: Delta) -> list[Update]:
        part = self._parts.get(delta.partID)
        if part is not None:
            return self._grow(delta.partID, part, delta)
        known = self._messages.get(delta.messageID)
        if known is None or not known.ended:
            self.early.hold(delta)
        return []

    def _grow(self, part_id: str, part: CachedPart, delta: Delta) -> list[Update]:
        if part.hidden or delta.field != "text":
            return []
        return self._chunk(part_id, part, part.text.append(delta.delta))

    def _part(self, part: Part) -> list[Update]:
        known = self._messages.get(part.messageID)
        if known is None:
            self.early.hold(part)
            return []
        cached = self._parts.get(part.id)
        if known.ended or (cached is None and _is_history(part)):
            return []
        if cached is not None:
            return self._renew(part, cached)
        early = self.early.take_deltas(part.messageID, part.id)
        return self._open(part, early)

    def _open(self, part: Part, early: str) -> list[Update]:
        """Take a part that is new, and the text of its deltas that have arrived earlier.

        The server may send the first deltas of a part before the part itself. The text in the part
        is then shorter than the text of these deltas, or it contains them.
        """
        cached = self._remember(part)
        if early and early.startswith(part.text) and not part.closed:
            return self._chunk(part.id, cached, cached.text.append(early))
        return self._renew(part, cached)

    def _stored_part(self, part: Part, completed: bool) -> list[Update]:
        """Take a part that was fetched from the server, and return the updates.

        A part that is not complete may be stored with less text than was streamed. Any part may
        also be stored with text whose deltas arrive only later; this text must not be sent twice.
        """
        known = self._parts.get(part.id)
        cached = known or self._remember(part)
        if part.type not in _CHUNKS:
            return self._renew(part, cached)
        if known is not None and known.text.placed and not (part.closed or completed):
            return []  # no delta of the part was missed, so the stream brings the rest
        updates = self._renew(part, cached)
        cached.text.note_gap()
        return updates

    def _remember(self, part: Part) -> CachedPart:
        return self._parts.add(
            part.id, CachedPart(part.messageID, part.type, hidden=bool(part.ignored))
        )

    def _renew(self, part: Part, cached: CachedPart) -> list[Update]:
        if part.type in _CHUNKS:
            if cached.hidden:
                return []
            try:
                text = cached.text.replace(part.text, part.closed)
            except Replacement as replaced:
                # The sent text cannot be changed in ACP, so the whole text becomes a new message.
                return [_CHUNKS[part.type](content=TextBlock(replaced.text), messageId=part.id)]
            return self._chunk(part.id, cached, text)
        if part.type == "tool":
            update, cached.shown = tools.show(part, cached.shown, self.directory)
            return [] if update is None else [update]
        if part.type == "file" and cached.shown is None:
            cached.shown = tools.Shown()
            return [AgentChunk(content=block_of_file(part), messageId=part.messageID)]
        return []

    def _chunk(self, part_id: str, part: CachedPart, text: str) -> list[Update]:
        if not text:
            return []
        if part.type == "reasoning":
            return [ThoughtChunk(content=TextBlock(text), messageId=part_id)]
        return [AgentChunk(content=TextBlock(text), messageId=part.messageID)]

    def _message(self, message: Message) -> list[Update]:
        is_new = self._messages.get(message.id) is None
        completed = message.time.completed is not None
        known = self._messages.note(message.id, message.role, is_new and not completed)
        if message.role == USER:
            self.early.take(message.id)
            return self._prompted(message) if is_new else []
        if known.ended or message.role != ASSISTANT:
            return []
        waiting = self.early.take(message.id)
        known.watched = known.watched and not waiting.overflowed
        updates: list[Update] = []
        for event in waiting.events:
            updates += self._delta(event) if isinstance(event, Delta) else self._part(event)
        if completed and not known.completed:
            known.completed = True
            if known.watched:
                known.ended = True
                updates += self._forget(message.id)
            usage = self._meter.count(message)
            updates += [] if usage is None else [usage]
        return updates

    def _forget(self, message_id: str) -> list[Update]:
        """Remove a message that has ended from the cache; return updates that were held back."""
        self.early.take(message_id)
        updates: list[Update] = []
        for part_id, part in self._parts.take(message_id):
            updates += self._chunk(part_id, part, part.text.flush())
        return updates

    def _prompted(self, message: Message) -> list[Update]:
        """Take over the model and mode of a user's message; return updates if they are new.

        Another client may have sent the message, or the server, when it leaves the plan mode.
        """
        mode = self.choices.mode
        if not self.choices.follow(message.model_name, message.agent):
            return []
        changed: list[Update] = []
        if mode != self.choices.mode:
            changed.append(ModeChanged(currentModeId=self.choices.mode))
        return [*changed, OptionsChanged(configOptions=self.choices.options())]


def _is_history(part: Part) -> bool:
    """Return whether the server has removed the output of an old tool call, to save context."""
    return part.state is not None and part.state.time.compacted is not None


def _text_of(events: Iterable[Early], part_id: str) -> str:
    return "".join(e.delta for e in events if isinstance(e, Delta) and e.partID == part_id)


_HANDLERS: dict[str, Callable[[Conversation, Event], list[Update]]] = {
    catalogue.PartDelta.type: Conversation._on_delta,
    catalogue.PartUpdated.type: Conversation._on_part,
    catalogue.PART_REMOVED: Conversation._on_part_removed,
    catalogue.MessageUpdated.type: Conversation._on_message,
    catalogue.SessionUpdated.type: Conversation._on_session,
    catalogue.TodoUpdated.type: Conversation._on_todos,
}
