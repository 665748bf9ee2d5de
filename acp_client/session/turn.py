"""Finds out from the events of a session when a turn has ended, and how.

Rules:

1. A turn begins with the first new user message in its session after the prompt was sent. If the
   session is idle before that message, an earlier turn has ended.
2. A turn has ended when the session is idle and all answers of the turn are complete. The status
   alone is not enough: after an abort or an error the server sends the idle status twice, and the
   last updates of the answer in between.
3. The last answer says how the turn has ended. If there is no answer, `session.error` says so.
"""

from __future__ import annotations

from msgspec import Struct

from acp_client.protocol.decode import properties_of
from acp_client.protocol.wire import (
    Event,
    Failure,
    Message,
    MessageUpdated,
    SessionFailed,
    StatusChanged,
)
from acp_client.session.messages import USER
from bus.events import catalogue

END, CANCELLED = "end_turn", "cancelled"
_STOPS = {"length": "max_tokens", "content-filter": "refusal"}
_FAILED = "error"
"""The `finish` of an answer that the model has ended with an error. opencode then sends no error
in the message itself."""
_NO_REASON = "the model ended its answer with an error, and gave no reason"
_CUT_OFF = "the server was interrupted, and the answer is cut off"
_FAILURES = {
    "MessageAbortedError": CANCELLED,
    "MessageOutputLengthError": "max_tokens",
    "ContentFilterError": "refusal",
}


class TurnOutcome(Struct, frozen=True):
    """How a turn has ended: ACP's stop reason, or an error as a message for a person."""

    stopReason: str | None = None
    error: str | None = None


class EditorTurn:
    """Follows one turn by the events of its session.

    Attributes:
        prompt: the id of the user message with the prompt; None until this message has arrived.
        cancelled: whether the editor has cancelled the turn.
        failure: the last ``session.error`` event; None if there is none.
    """

    def __init__(self) -> None:
        self.prompt: str | None = None
        self.cancelled = False
        self.failure: Failure | None = None
        self._idle = False
        self._answer: Message | None = None
        self._open: set[str] = set()

    @property
    def idle(self) -> bool:
        """Whether the session is idle, after the turn has begun."""
        return self._idle

    @property
    def over(self) -> bool:
        """Whether the turn has ended: the session is idle, and all answers are complete."""
        return self._idle and not self._open

    def observe(self, event: Event, is_new: bool) -> None:
        """Take an event of the session.

        Args:
            event: the event.
            is_new: for a ``message.updated``, whether the message has not been seen before.

        Raises:
            UnreadableAnswer: the event lacks a field that events of its type must have.
        """
        if event.type == catalogue.MessageUpdated.type:
            self.message(properties_of(event, MessageUpdated).info, is_new)
        elif event.type == catalogue.SessionStatus.type:
            self.status(properties_of(event, StatusChanged).status.type == "idle")
        elif event.type == catalogue.SessionIdle.type:
            self.status(True)
        elif event.type == catalogue.SessionError.type:
            self.failure = properties_of(event, SessionFailed).error or Failure()

    def message(self, message: Message, is_new: bool) -> None:
        """Take a message of the session, from an event or fetched from the server."""
        if message.role == USER:
            if self.prompt is None and is_new:
                self.prompt = message.id
        elif self.prompt is not None and (is_new or message.id in self._open):
            self._answer = message
            if message.time.completed is None:
                self._open.add(message.id)
            else:
                self._open.discard(message.id)

    def status(self, idle: bool) -> None:
        """Take the status of the session; an idle status before the prompt is ignored."""
        self._idle = idle and self.prompt is not None

    @property
    def answering(self) -> bool:
        """Whether the server has begun to answer the prompt."""
        return self._answer is not None

    def outcome(self) -> TurnOutcome:
        """Return how the turn has ended, from its last answer or the last error."""
        if self.cancelled:
            return TurnOutcome(CANCELLED)
        answer = self._answer
        failure = answer.error if answer else None
        if failure is None and (answer is None or answer.time.completed is None):
            failure = self.failure
        if failure is None and answer and answer.time.completed is None:
            return TurnOutcome(error=_CUT_OFF)
        if failure is not None:
            stop = _FAILURES.get(failure.name)
            return TurnOutcome(stop) if stop else TurnOutcome(error=failure.words)
        if answer and answer.finish == _FAILED:
            return TurnOutcome(error=self.failure.words if self.failure else _NO_REASON)
        return TurnOutcome(_STOPS.get(answer.finish or "", END) if answer else END)
