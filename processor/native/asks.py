"""Asks: requests for a permission and questions, which wait until a person answers.

An ask is answered once. The ask of an external agent is saved until the agent's turn ends, so the
person's answer reaches the agent even if the processor is killed. If a turn ends before its ask is
answered, the ask is refused, so that clients stop showing the ask. If the processor is killed
during the turn of a model, the next processor refuses the ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import UNSET, Struct

from bus.agent_lines import PermissionLine, QuestionsLine, ReplyWork
from bus.answers import CommandFailed
from bus.commands import Asks as AskList
from bus.commands import PermissionReply, QuestionReply
from bus.events.catalogue import (
    PermissionAsked,
    PermissionReplied,
    Properties,
    QuestionAsked,
    QuestionRejected,
    QuestionReplied,
)
from bus.events.session import ToolRef
from processor.native.record import Record
from processor.store import model_asks, open_turns
from processor.store.failures import StoreFailed
from processor.store.open_turns import Asked, LeftAsk

MOST_WAITING = 1000
"""The number of asks that may wait for an answer, in all sessions together."""

Answered = Callable[[ReplyWork], None]


class Asker(Struct):
    """The turn that asks a person something.

    Attributes:
        record: writes and publishes the changes of the session.
        prompt: the id of the prompt that the turn answers.
        turn: the id of the turn in the lines (messages) between weir and an external agent.
        answered: called once for each ask, with the answer; must not block.
        lasts: whether the turn continues after a restart of the processor. If True, the ask and
            the answer are saved; if False, the next processor refuses the ask.
    """

    record: Record
    prompt: str
    turn: str
    answered: Answered
    lasts: bool = True


class _Ask(Struct):
    asked: Asked
    name: str
    asker: Asker


class PendingAsks:
    """The asks of all sessions that no person has answered yet."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Ask] = {}

    def ask(self, line: PermissionLine | QuestionsLine, asker: Asker, call: ToolRef | None) -> str:
        """Publish an ask; return its id.

        Args:
            line: what is asked.
            asker: the turn that asks.
            call: the tool call that needs the answer; None if no call does.

        Raises:
            CommandFailed: too many asks wait, or the ask of a model's turn cannot be saved.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise CommandFailed("full", f"ask: {MOST_WAITING} asks wait for an answer already")
        record, tool = asker.record, call or UNSET
        session, ids = record.session.id, record.ids
        asked: Asked
        if isinstance(line, PermissionLine):
            asked = PermissionAsked(
                id=ids.ascending("per"),
                sessionID=session,
                permission=line.permission,
                patterns=line.patterns,
                metadata=line.metadata,
                always=line.always,
                tool=tool,
            )
        else:
            asked = QuestionAsked(
                id=ids.ascending("que"),
                sessionID=session,
                questions=line.questions,
                tool=tool,
            )
        if asker.lasts:
            record.submit(asked.id, open_turns.put_ask, asker.prompt, line.ask, asked)
        else:
            _save(record, asked)
        self._waiting[asked.id] = _Ask(asked, line.ask, asker)
        record.publish(asked, asked.id)
        return asked.id

    def resume(self, left: LeftAsk, asker: Asker) -> str | None:
        """Take over an ask that the last processor has saved.

        Return the ask's id if it still waits for an answer; None if it was answered.
        """
        one = _Ask(left.asked, left.name, asker)
        asker.record.publish(left.asked)
        if left.reply is not None:
            self._tell(one, left.reply)
            return None
        self._waiting[left.asked.id] = one
        return left.asked.id

    def waiting(self, c: AskList) -> Sequence[PermissionAsked | QuestionAsked]:
        """Return the waiting permissions or questions, of one directory or of all directories."""
        kind = PermissionAsked if c.kind == "permission" else QuestionAsked
        return [
            one.asked
            for one in self._waiting.values()
            if isinstance(one.asked, kind)
            and c.directory in (None, one.asker.record.session.directory)
        ]

    def reply(self, c: PermissionReply) -> bool:
        """Answer a request for a permission: a person gives or refuses the permission.

        Raises:
            CommandFailed: no such request waits for an answer.
        """
        one = self._taken(c.request, PermissionAsked, c.session)
        self._answered(one, reply=c.body.reply, message=c.body.message or "")
        return True

    def answer(self, c: QuestionReply) -> bool:
        """Answer questions; ``answers`` is None if the person declines to answer.

        Raises:
            CommandFailed: no such questions wait, or the number of answers is wrong.
        """
        waiting = self._waiting.get(c.request)
        asked = None if waiting is None else waiting.asked
        if c.answers is not None and isinstance(asked, QuestionAsked):
            expected, given = len(asked.questions), len(c.answers)
            if expected != given:
                raise CommandFailed(
                    "invalid",
                    f"answers: {given} given; {expected} expected, one list for each question",
                    field="answers",
                )
        one = self._taken(c.request, QuestionAsked, None)
        if c.answers is None:
            self._answered(one, reply="reject")
        else:
            self._answered(one, reply="answered", answers=c.answers)
        return True

    def withdraw(self, request: str) -> None:
        """Refuse an ask, if it still waits: its turn has ended, or no answer came in time."""
        one = self._waiting.pop(request, None)
        if one is not None:
            self._tell(one, ReplyWork(turn=one.asker.turn, ask=one.name, reply="reject"))

    def _taken(self, request: str, kind: type, session: str | None) -> _Ask:
        one = self._waiting.get(request)
        if one is None or not isinstance(one.asked, kind):
            what = "Permission" if kind is PermissionAsked else "Question"
            raise CommandFailed("not_found", f"{what} request not found: {request}")
        if session not in (None, one.asked.sessionID):
            raise CommandFailed("not_found", f"{request} does not belong to session {session}")
        return self._waiting.pop(request)

    def _answered(self, one: _Ask, **said: Any) -> None:
        reply = ReplyWork(turn=one.asker.turn, ask=one.name, **said)
        if one.asker.lasts:
            one.asker.record.save_reply(one.asked.id, reply)
        self._tell(one, reply)

    def _tell(self, one: _Ask, reply: ReplyWork) -> None:
        """Publish a person's answer, and pass it on to the turn that asked."""
        said: Properties = refusal(one.asked)
        where = {"sessionID": one.asked.sessionID, "requestID": one.asked.id}
        if isinstance(one.asked, PermissionAsked):
            said = PermissionReplied(**where, reply=reply.reply)
        elif reply.reply != "reject":
            said = QuestionReplied(**where, answers=reply.answers)
        if not one.asker.lasts:
            one.asker.record.submit(one.asked.id, model_asks.remove, one.asked.id)
        one.asker.record.publish(said)
        one.asker.answered(reply)


def _save(record: Record, asked: Asked) -> None:
    """Save the ask of a model's turn; an event is only published once its entity is saved.

    Raises:
        CommandFailed: the store cannot write.
    """
    try:
        record.submit(asked.id, model_asks.put, asked).get()
    except StoreFailed as error:
        raise CommandFailed("unavailable", f"ask: cannot be saved: {error}") from error
    except BaseException:  # the greenlet was killed, since a person aborted the turn
        record.submit(asked.id, model_asks.remove, asked.id)
        raise


def refusal(asked: Asked) -> Properties:
    """Return the event which says that an ask was refused."""
    if isinstance(asked, PermissionAsked):
        return PermissionReplied(sessionID=asked.sessionID, requestID=asked.id, reply="reject")
    return QuestionRejected(sessionID=asked.sessionID, requestID=asked.id)
