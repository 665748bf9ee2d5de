"""One turn: from the prompt to the idle event that ends the turn.

Rules:

1. A turn begins with the first new user message in its session after the prompt was sent. An idle
   status before it belongs to an earlier turn.
2. The turn is over when the session is idle and all its answers have ended. After an abort or an
   error the server sends the idle status twice, with the last updates in between.
3. The last answer shows how the turn ended; if there is no answer, `session.error` does.
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
"""The finish of an answer whose model gave up; opencode sends no error with it."""
_NO_REASON = "the model ended its answer with an error, and gave no reason"
_CUT_OFF = "the server was interrupted, and the answer is cut off"
_FAILURES = {
    "MessageAbortedError": CANCELLED,
    "MessageOutputLengthError": "max_tokens",
    "ContentFilterError": "refusal",
}


class TurnOutcome(Struct, frozen=True):
    """How a turn ended: why the agent stopped, or the error in words."""

    stopReason: str | None = None
    error: str | None = None


class EditorTurn:
    """Watches the events of its session.

    Attributes:
        prompt: id of the user message, None until it has come.
        cancelled: the editor has cancelled the turn.
        failure: the last ``session.error``.
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
        """Whether the turn's idle status has come."""
        return self._idle

    @property
    def over(self) -> bool:
        """Whether nothing more follows."""
        return self._idle and not self._open

    def observe(self, event: Event, is_new: bool) -> None:
        """Take an event of the session.

        Args:
            event: the event.
            is_new: the message of a ``message.updated`` has not been seen before.

        Raises:
            UnreadableAnswer: the event lacks what its type needs.
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
        """Take a message of the session, from the stream or from the store."""
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
        """Take the status of the session."""
        self._idle = idle and self.prompt is not None

    @property
    def answering(self) -> bool:
        """Whether the server has begun to answer."""
        return self._answer is not None

    def outcome(self) -> TurnOutcome:
        """Return how it ended."""
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
