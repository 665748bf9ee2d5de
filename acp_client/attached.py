"""A session that the editor has open: its conversation, and the running turn.

All methods except `look_up`, `look_for_prompt` and `recover` are called with the agent's lock
held, so that the editor gets its updates in the order of the stream.
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
"""How long a delta waits for its part or message before the server is asked for it."""
GRACE_S = 2.0
"""How long the last message of an idle session may take to end."""
_RECOVERY_ATTEMPTS = 4
_STATUS_S = 8.0
"""A server that has just started may never answer an early request."""
_RECENT = 100
_DELETED = "the session was deleted"
_LOST = "the server has lost this prompt; send it again"


class RunningTurn:
    """A turn, and the prompt that waits for its end.

    Attributes:
        sent: the prompt is on its way to the server.
        accepted: the server has accepted the prompt.
        outcome: how the turn ended, None while it runs.
        done: set when the turn has ended.
        answered: set when the answer to the prompt is queued for the editor.
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
    """A session that the editor has open."""

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
        # Events that wait until earlier updates are sent, with None for each hole between them.
        # The list itself is None if events do not wait.
        self._backlog: list[Event | None] | None = []
        self._recovering = False
        self._holes = 0

    @property
    def path(self) -> str:
        """The route of the session."""
        return f"/session/{quote(self.conversation.id, '')}"

    def send(self, updates: Sequence[Update]) -> None:
        """Send updates to the editor."""
        for update in updates:
            self._outlet.update(self.conversation.id, update)

    def go_live(self) -> None:
        """Send the events that waited; later events are sent at once."""
        backlog, self._backlog = self._backlog or [], None
        for event in backlog:
            if event is None:
                self.conversation.lose_place()
            else:
                self.take(event)

    def take(self, event: Event) -> None:
        """Handle an event of the session."""
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
            log.warning("%s cannot be read: %s", event.type, error)
        self.settle()

    def settle(self) -> None:
        """Do what is due: end the turn, or ask the server for a message."""
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
        """End a turn once; updates that were held back are sent before the prompt's answer."""
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
        """Return whether an event is the first of the running turn: its prompt."""
        if self.running is None or self.running.turn.prompt is not None:
            return False
        return (
            decode.session_of(event) == self.conversation.id
            and self._is_new(event)
            and decode.properties_of(event, wire.MessageUpdated).info.role == USER
        )

    def lose_place(self) -> None:
        """Note that events were missed; the running turn fetches what they contained.

        The stream already brings events of later messages. They wait until the missed end of the
        earlier message has been fetched and sent.
        """
        self._holes += 1
        if self._backlog is None:
            self.conversation.lose_place()
        else:
            self._backlog.append(None)
        if self.running is None or not self.running.sent:
            return
        self._backlog = self._backlog or []
        if not self._recovering:
            self._recovering = True
            threading.Thread(target=self.recover, args=(self.running,), daemon=True).start()

    def look_up(self, message_id: str) -> None:
        """Ask the server for a message that other events wait for."""
        if message_id not in self.conversation.early:
            return
        stored = None
        try:
            path = f"{self.path}/message/{quote(message_id, '')}"
            stored = self._server.get(path, Stored, self.conversation.directory)
        except ServerFailure as error:
            log.warning("message %s cannot be fetched: %s", message_id, error)
        with self._lock:
            self.send(self.conversation.learn(message_id, stored))
            self.settle()

    def recover(self, running: RunningTurn) -> None:
        """Fetch status and messages after a hole: once, or until they contain the prompt."""
        for attempt in range(_RECOVERY_ATTEMPTS):
            if attempt and running.done.wait(attempt):
                break
            # An idle status from before the prompt does not show that the turn has ended.
            settled = running.turn.answering or attempt == _RECOVERY_ATTEMPTS - 1
            try:
                if self._caught_up_with(running, settled):
                    break
            except ServerFailure as error:
                log.warning("the missed events cannot be fetched: %s", error)
        with self._lock:
            self._recovering = False
            self.go_live()
            if running.accepted and running.turn.prompt is None:
                self.finish(running, TurnOutcome(error=_LOST))
            self.settle()

    def look_for_prompt(self, running: RunningTurn) -> None:
        """Take the stored messages of a turn, if the server has its prompt.

        Raises:
            ServerFailure: the server does not answer.
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
            ServerFailure: the server does not answer.
        """
        directory = self.conversation.directory
        busy = self._server.get("/session/status", dict[str, Status], directory, _STATUS_S)
        return busy.get(self.conversation.id, Status()).type == "idle"

    def _caught_up_with(self, running: RunningTurn, settled: bool) -> bool:
        """Send the stored messages, and then the events that the stream brought meanwhile.

        Args:
            running: the turn whose messages are needed.
            settled: an idle status means that this turn has ended.

        Returns:
            Whether the fate of the prompt is known.

        Raises:
            ServerFailure: the server does not answer.
        """
        while True:
            holes = self._holes
            idle, stored = self._stored()
            with self._lock:
                if running.outcome is not None:
                    return True
                if holes != self._holes:
                    continue
                known = self._caught_up(running, stored)
                if idle and settled and known:
                    running.turn.status(True)
                self.go_live()
                return known and (settled or not idle)

    def _stored(self) -> tuple[bool, list[Stored]]:
        # The status first: then the messages contain everything that preceded an idle status.
        idle = self.is_idle()
        directory = self.conversation.directory
        path = f"{self.path}/message"
        return idle, self._server.get(path, list[Stored], directory, limit=_RECENT)

    def _caught_up(self, running: RunningTurn, stored: list[Stored]) -> bool:
        """Take the stored messages of a turn; return whether they contain the prompt."""
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
