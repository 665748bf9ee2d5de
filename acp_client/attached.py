"""A session that the editor has open ("attached"): its conversation, and the running turn.

All methods except `look_up`, `look_for_prompt` and `recover` are called with the agent's lock
held, so that the editor gets its updates in the order of the events. These three send requests
to the server, and take the lock only afterwards.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from urllib.parse import quote

from acp_client.api.server import Server, ServerFailure
from acp_client.editor.outlet import EditorOutlet
from acp_client.protocol import decode, wire
from acp_client.protocol.updates import Update
from acp_client.protocol.wire import Event, Status, Stored
from acp_client.session.conversation import Conversation
from acp_client.session.messages import USER
from acp_client.session.turn import EditorTurn, TurnOutcome
from bus.events.catalogue import MessageUpdated, PartDelta, SessionDeleted

log = logging.getLogger("weir.acp")

LOOK_UP_AFTER_S = 0.5
"""A delta may arrive before the part or message that it belongs to. So many seconds later, the
message is fetched from the server."""
GRACE_S = 2.0
"""How many seconds after the session has become idle its last message may still arrive."""
_RECOVERY_ATTEMPTS = 4
_STATUS_S = 8.0
"""The timeout of the request for a session's status, in seconds. It is short, because an opencode
that has just started may never answer a request that came early."""
_RECENT = 100
_DELETED = "the session was deleted"
_LOST = "the server has lost this prompt; send it again"


class RunningTurn:
    """A turn that runs in a session. The editor's `session/prompt` is answered when it ends.

    Attributes:
        turn: what the events so far say about the turn.
        sent: whether the request with the prompt was begun.
        accepted: whether the server has accepted the prompt.
        outcome: how the turn has ended; None while it runs.
        done: an event that is set when the turn has ended.
        answered: an event that is set when the answer to `session/prompt` is queued.
        grace: the timer that ends the turn if the session stays idle; None if it is not needed.
    """

    def __init__(self) -> None:
        self.turn = EditorTurn()
        self.sent = False
        self.accepted = False
        self.outcome: TurnOutcome | None = None
        self.done = threading.Event()
        self.answered = threading.Event()
        self.grace: threading.Timer | None = None


class Attached:
    """A session that the editor has open.

    Attributes:
        conversation: the messages of the session, and what the editor has received of them.
        running: the running turn; None if the session is idle.
        commands: the names of the slash commands that the server has.
    """

    def __init__(
        self,
        conversation: Conversation,
        server: Server,
        outlet: EditorOutlet,
        lock: threading.RLock,
    ) -> None:
        self.conversation = conversation
        self.running: RunningTurn | None = None
        self.commands: frozenset[str] = frozenset()
        self._server = server
        self._outlet = outlet
        self._lock = lock
        # Events that must wait until earlier updates are sent to the editor. A None in the list
        # means that events are missing at this point. The list itself is None if no event waits.
        self._backlog: list[Event | None] | None = []
        self._recovering = False
        self._gaps = 0

    @property
    def path(self) -> str:
        """The path of the session's route, ``/session/ID``."""
        return f"/session/{quote(self.conversation.id, '')}"

    def send(self, updates: Sequence[Update]) -> None:
        """Queue updates of this session for the editor."""
        for update in updates:
            self._outlet.update(self.conversation.id, update)

    def go_live(self) -> None:
        """Handle the events that had to wait; from now on, events are handled at once."""
        backlog, self._backlog = self._backlog or [], None
        for event in backlog:
            if event is None:
                self.conversation.note_gap()
            else:
                self.take(event)

    def take(self, event: Event) -> None:
        """Handle an event of this session: send the editor its updates, or let the event wait."""
        if self._backlog is not None:
            self._backlog.append(event)
            return
        try:
            if self.running is not None and event.type != PartDelta.type:
                self.running.turn.observe(event, self._is_new(event))
            self.send(self.conversation.apply(event))
            if self.running is not None and event.type == SessionDeleted.type:
                self.finish(self.running, TurnOutcome(error=_DELETED))
        except decode.UnreadableAnswer as error:
            log.warning(
                "an event %s of session %s is ignored, because it cannot be read: %s",
                event.type,
                self.conversation.id,
                error,
            )
        self.settle()

    def settle(self) -> None:
        """End the turn if all of it has arrived, and fetch messages for which deltas wait."""
        for message_id in self.conversation.early.unasked():
            self.conversation.early.asked.add(message_id)
            _later(LOOK_UP_AFTER_S, self.look_up, message_id)
        running = self.running
        if running is None or self._recovering or not running.turn.idle:
            return
        if running.turn.over and not self.conversation.early:
            self.finish(running)
        elif running.grace is None:
            running.grace = _later(GRACE_S, self._expire, running)

    def finish(self, running: RunningTurn, outcome: TurnOutcome | None = None) -> None:
        """End a turn, unless it has ended already.

        Updates that had to wait are sent first, since editors drop updates after the answer to
        `session/prompt`.
        """
        if self._recovering and running.outcome is None:
            self.go_live()
        if running.outcome is not None:
            return
        self.send(self.conversation.flush())
        running.outcome = outcome or running.turn.outcome()
        if self.running is running:
            self.running = None
        self.conversation.early.asked.clear()
        running.done.set()

    def is_begun_by(self, event: Event) -> bool:
        """Return whether an event is the message of the prompt that begins the running turn."""
        if self.running is None or self.running.turn.prompt is not None:
            return False
        return (
            decode.session_of(event) == self.conversation.id
            and self._is_new(event)
            and decode.properties_of(event, wire.MessageUpdated).info.role == USER
        )

    def note_gap(self) -> None:
        """Note that events were missed; if a turn runs, fetch its messages from the server.

        Events that arrive meanwhile may be about later messages. They wait until the missed end of
        the earlier message was fetched and sent to the editor.
        """
        self._gaps += 1
        if self._backlog is None:
            self.conversation.note_gap()
        else:
            self._backlog.append(None)
        if self.running is None or not self.running.sent:
            return
        self._backlog = self._backlog or []
        if not self._recovering:
            self._recovering = True
            threading.Thread(target=self.recover, args=(self.running,), daemon=True).start()

    def look_up(self, message_id: str) -> None:
        """Fetch a message from the server, because deltas of this message have arrived first."""
        if message_id not in self.conversation.early:
            return
        stored = None
        try:
            path = f"{self.path}/message/{quote(message_id, '')}"
            stored = self._server.get(path, Stored, self.conversation.directory)
        except ServerFailure as error:
            log.warning(
                "message %s cannot be fetched, so its text that has arrived is not shown: %s",
                message_id,
                error,
            )
        with self._lock:
            self.send(self.conversation.learn(message_id, stored))
            self.settle()

    def recover(self, running: RunningTurn) -> None:
        """Fetch the session's status and messages after events were missed.

        If the messages do not contain the turn's prompt yet, try again a few times.
        """
        for attempt in range(_RECOVERY_ATTEMPTS):
            if attempt and running.done.wait(attempt):
                break
            # If no answer has begun, the session may be idle because the server has not begun the
            # turn. So an idle status ends the turn only at the last attempt.
            settled = running.turn.answering or attempt == _RECOVERY_ATTEMPTS - 1
            try:
                if self._caught_up_with(running, settled):
                    break
            except ServerFailure as error:
                log.warning(
                    "what was missed of session %s cannot be fetched: %s",
                    self.conversation.id,
                    error,
                )
        with self._lock:
            self._recovering = False
            self.go_live()
            if running.accepted and running.turn.prompt is None:
                self.finish(running, TurnOutcome(error=_LOST))
            self.settle()

    def look_for_prompt(self, running: RunningTurn) -> None:
        """Fetch the session's messages, to find out whether the server has the turn's prompt.

        Raises:
            ServerFailure: the server cannot be reached, or answers with an error.
        """
        idle, stored = self._stored()
        with self._lock:
            if running.turn.prompt is not None:
                return
            self._caught_up(running, stored)
            if idle and running.turn.answering:
                running.turn.status(True)
            self.settle()

    def is_idle(self) -> bool:
        """Ask the server whether the session is idle.

        Raises:
            ServerFailure: the server cannot be reached, or answers with an error.
        """
        directory = self.conversation.directory
        busy = self._server.get("/session/status", dict[str, Status], directory, _STATUS_S)
        return busy.get(self.conversation.id, Status()).type == "idle"

    def _caught_up_with(self, running: RunningTurn, settled: bool) -> bool:
        """Send the editor the messages that the server has stored, and then the waiting events.

        Args:
            running: the turn whose messages are needed.
            settled: whether an idle status means that this turn has ended (True), or possibly
                that it has not begun yet (False).

        Returns:
            Whether it is known that the turn runs, or that it has ended. False: try again.

        Raises:
            ServerFailure: the server cannot be reached, or answers with an error.
        """
        while True:
            gaps = self._gaps
            idle, stored = self._stored()
            with self._lock:
                if running.outcome is not None:
                    return True
                if gaps != self._gaps:
                    continue
                known = self._caught_up(running, stored)
                if idle and settled and known:
                    running.turn.status(True)
                self.go_live()
                return known and (settled or not idle)

    def _stored(self) -> tuple[bool, list[Stored]]:
        # The status is fetched before the messages: if the session was idle then, the messages
        # contain the whole turn. The other way round, its end could be missing.
        idle = self.is_idle()
        directory = self.conversation.directory
        path = f"{self.path}/message"
        return idle, self._server.get(path, list[Stored], directory, limit=_RECENT)

    def _caught_up(self, running: RunningTurn, stored: list[Stored]) -> bool:
        """Send the editor what it lacks of the turn's messages.

        Returns:
            Whether the messages contain the prompt, or the server has not accepted it.
        """
        turn, conversation = running.turn, self.conversation
        prompt = turn.prompt or next(
            (
                one.info.id
                for one in reversed(stored)
                if one.info.role == USER and not conversation.knows(one.info.id)
            ),
            None,
        )
        ids = [one.info.id for one in stored]
        if prompt is None or (prompt not in ids and not turn.prompt):
            return not running.accepted
        missed = stored[ids.index(prompt) :] if prompt in ids else stored
        for one in missed:
            turn.message(one.info, not conversation.knows(one.info.id))
        self.send(conversation.catch_up(missed))
        return True

    def _expire(self, running: RunningTurn) -> None:
        with self._lock:
            if running.turn.idle:
                self.finish(running)
            running.grace = None

    def _is_new(self, event: Event) -> bool:
        if event.type != MessageUpdated.type:
            return False
        info = decode.properties_of(event, wire.MessageUpdated).info
        return not self.conversation.knows(info.id)


def _later(wait_s: float, run: Callable[..., None], *args: object) -> threading.Timer:
    timer = threading.Timer(wait_s, run, args)
    timer.daemon = True
    timer.start()
    return timer
