"""Routes the events of the stream to the editor's sessions."""

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
"""A person is notified after this many failed attempts: the first retry often succeeds."""


class SessionRouter:
    """Knows the editor's sessions, and the sessions below them.

    Attributes:
        sessions: the sessions that the editor has open, by id.
        notices: returns whether the editor shows notices.
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
        """Set the object that handles permissions and questions."""
        self._asks = asks

    def on_event(self, event: Event) -> None:
        """Handle an event of the stream; wait while the editor lags behind."""
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
        """Fetch missed events, unless none were missed."""
        with self._lock:
            attached = list(self.sessions.values())
            self._half_heard = resumed is None
            if not resumed:
                self._lose_place(attached)
            self._speak_of_return()

    def on_lost(self, words: str, attempts: int) -> None:
        """Report the loss in the sessions that wait for an answer."""
        if attempts != _SPEAK_AFTER:
            return
        with self._lock:
            self._silences += 1
            self._is_silent = True
            self._speak(f"No connection to the server: {words}.")

    def root_of(self, session_id: str) -> Attached | None:
        """Return the editor's session at or above a session; may send requests to the server.

        Must not be called in the thread that reads the stream.
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
        """Fetch again what running turns have missed, at the first event of a connection.

        opencode sends ``server.connected`` just before it subscribes to its own events, so events
        in between are lost. If the first event is the prompt of a turn, the turn has missed
        nothing.
        """
        with self._lock:
            running = [one for one in self.sessions.values() if one.running is not None]
            self._lose_place([one for one in running if not one.is_begun_by(event)])
            self._half_heard = False

    def _lose_place(self, attached: list[Attached]) -> None:
        for one in attached:
            one.lose_place()
        if self._asks is not None:
            for folder in {one.conversation.directory for one in attached}:
                threading.Thread(
                    target=self._asks.put_pending, args=(folder,), daemon=True
                ).start()

    def _beside(self, event: Event, is_attached: bool) -> None:
        """Handle what concerns several sessions: asks, and the parents of sessions."""
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
            log.warning("%s cannot be read: %s", event.type, error)

    def _note(self, session_id: str, parent: str) -> None:
        with self._lock:
            self._parents[session_id] = parent
            if len(self._parents) > _MOST_PARENTS:
                self._parents.popitem(last=False)

    def _ask_for_parent(self, session_id: str) -> str:
        try:
            found = self._server.get(f"/session/{quote(session_id, '')}", Session)
        except ServerFailure as error:
            log.warning("the parent of session %s cannot be fetched: %s", session_id, error)
            return ""
        if found.parentID:
            self._note(session_id, found.parentID)
        return found.parentID or ""

    def _speak_of_return(self) -> None:
        if self._is_silent:
            self._speak("Connected to the server again.")
            self._is_silent = False

    def _speak(self, words: str) -> None:
        """Show the person a message: as a notice, or as a thought if the editor has no notices."""
        message_id = f"silence-{self._silences}"
        said: Update = ThoughtChunk(content=TextBlock(words), messageId=message_id)
        if self.notices():
            said = Notice(severity="warning", title=words)
        for one in self.sessions.values():
            if one.running is not None:
                one.send([said])
