"""Passes each event of the server to the session that the editor has open, if it is about one."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import quote

from acp_client.api.server import Server, ServerFailure
from acp_client.asks import EditorAsks
from acp_client.attached import Attached
from acp_client.editor.outlet import EditorOutlet
from acp_client.protocol import decode, wire
from acp_client.protocol.updates import Notice, TextBlock, ThoughtChunk, Update
from acp_client.protocol.wire import Event, Session
from bus.events import catalogue, type_of

log = logging.getLogger("weir.acp")

_MOST_PARENTS = 4096
_DEEPEST = 16
_SPEAK_AFTER = 2
"""After so many failed attempts to connect, the loss of the stream is shown to the user. It is not
shown before, because the first retry often succeeds."""


class SessionRouter:
    """Receives the events of the server, and knows the sessions that the editor has open.

    It also knows which session is the parent of which: subagents run in child sessions.

    Attributes:
        sessions: the sessions that the editor has open, by id.
        notices: returns whether the editor can show notices.
    """

    def __init__(self, server: Server, outlet: EditorOutlet, lock: threading.RLock) -> None:
        self.sessions: dict[str, Attached] = {}
        self.notices: Callable[[], bool] = lambda: False
        self._server = server
        self._outlet = outlet
        self._lock = lock
        self._parents: OrderedDict[str, str] = OrderedDict()
        self._asks: EditorAsks | None = None
        self._silences = 0
        self._is_silent = False
        self._half_heard = False

    def set_asks(self, asks: EditorAsks) -> None:
        """Set the object that handles permissions and questions; it needs this router itself."""
        self._asks = asks

    def on_event(self, event: Event) -> None:
        """Handle an event of the stream; afterwards wait while the editor's queue is full."""
        if self._half_heard:
            self._hear_again(event)
        session = decode.session_of(event)
        if session:
            with self._lock:
                attached = self.sessions.get(session)
                if attached is not None:
                    attached.take(event)
            self._beside(event, attached is not None)
        self._outlet.wait_for_room()

    def on_connected(self, resumed: bool | None) -> None:
        """Handle a new connection of the stream: fetch what was missed, unless it was resumed."""
        with self._lock:
            attached = list(self.sessions.values())
            self._half_heard = resumed is None
            if not resumed:
                self._note_gap(attached)
            self._speak_of_return()

    def on_lost(self, words: str, attempts: int) -> None:
        """Show the loss of the stream in the sessions in which a turn runs."""
        if attempts != _SPEAK_AFTER:
            return
        with self._lock:
            self._silences += 1
            self._is_silent = True
            self._speak(f"No connection to the server: {words}.")

    def root_of(self, session_id: str) -> Attached | None:
        """Return the given session, or its nearest parent, that the editor has open; None if none.

        Parents that are not known are fetched from the server. So this must not be called in the
        thread that reads the event stream, which would stand still meanwhile.
        """
        for _ in range(_DEEPEST):
            with self._lock:
                attached = self.sessions.get(session_id)
                parent = self._parents.get(session_id)
            if attached is not None:
                return attached
            if parent is None:
                parent = self._ask_for_parent(session_id)
            if not parent:
                return None
            session_id = parent
        return None

    def _hear_again(self, event: Event) -> None:
        """At the first event of a connection, fetch again what running turns may have missed.

        opencode sends ``server.connected`` just before it subscribes to its own events, so the
        events in between are lost. They are fetched once the next event shows that the
        subscription exists. If this event is the prompt of a turn, the turn has missed nothing.
        """
        with self._lock:
            running = [one for one in self.sessions.values() if one.running is not None]
            self._note_gap([one for one in running if not one.is_begun_by(event)])
            self._half_heard = False

    def _note_gap(self, attached: list[Attached]) -> None:
        for one in attached:
            one.note_gap()
        if self._asks is not None:
            for folder in {one.conversation.directory for one in attached}:
                threading.Thread(
                    target=self._asks.put_pending, args=(folder,), daemon=True
                ).start()

    def _beside(self, event: Event, is_attached: bool) -> None:
        """Handle events that may concern other sessions too: permissions, questions, parents."""
        try:
            if self._asks is not None:
                self._asks.take(event)
                if not is_attached:
                    self._asks.follow(event, self._outlet.update)
            if type_of(event.type).snapshot_of is catalogue.SESSION:
                info = decode.properties_of(event, wire.SessionChanged).info
                if info.parentID:
                    self._note(info.id, info.parentID)
        except decode.UnreadableAnswer as error:
            log.warning("an event %s is ignored, because it cannot be read: %s", event.type, error)

    def _note(self, session_id: str, parent: str) -> None:
        with self._lock:
            self._parents[session_id] = parent
            if len(self._parents) > _MOST_PARENTS:
                self._parents.popitem(last=False)

    def _ask_for_parent(self, session_id: str) -> str:
        try:
            found = self._server.get(f"/session/{quote(session_id, '')}", Session)
        except ServerFailure as error:
            log.warning(
                "a permission or question of session %s is not shown in the editor, because the "
                "parent of this session cannot be fetched: %s",
                session_id,
                error,
            )
            return ""
        if found.parentID:
            self._note(session_id, found.parentID)
        return found.parentID or ""

    def _speak_of_return(self) -> None:
        if self._is_silent:
            self._speak("weir acp is connected to the server again.")
            self._is_silent = False

    def _speak(self, words: str) -> None:
        """Show a message in all sessions with a running turn.

        It is a notice, or a thought of the model if the editor cannot show notices.
        """
        message_id = f"silence-{self._silences}"
        said: Update = ThoughtChunk(content=TextBlock(words), messageId=message_id)
        if self.notices():
            said = Notice(severity="warning", title=words)
        for one in self.sessions.values():
            if one.running is not None:
                one.send([said])
