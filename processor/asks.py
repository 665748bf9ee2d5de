"""What waits for a person: leave to do something, and questions.

An ask is answered once. When its turn ends first, it is refused, so that no client goes on
showing it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET, Struct

from bus.agent_lines import Permission, Questions, Reply
from bus.bodies import PermissionBody
from bus.commands import Asks as AskList
from bus.commands import CommandFailed, PermissionReply, QuestionReply
from bus.events import (
    PermissionAsked,
    PermissionReplied,
    QuestionAsked,
    QuestionRejected,
    QuestionReplied,
)
from bus.events.session import ToolRef
from bus.ids import Ids
from processor.record import Record

MOST_WAITING = 1000
"""In all sessions together."""

Answered = Callable[[Reply], None]


class _Ask(Struct):
    asked: PermissionAsked | QuestionAsked
    record: Record
    turn: str
    name: str
    answered: Answered


class Asks:
    """All that wait."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._waiting: dict[str, _Ask] = {}

    def ask(
        self,
        line: Permission | Questions,
        record: Record,
        call: ToolRef | None,
        answered: Answered,
    ) -> str:
        """Put an ask to everybody who follows the session; return its id.

        Args:
            line: what to ask.
            record: of the session.
            call: the tool call that asks.
            answered: called with the answer, once; must not block.

        Raises:
            CommandFailed: too many wait.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise CommandFailed("full", f"ask: {MOST_WAITING} asks wait for an answer already")
        session, tool = record.session.id, call or UNSET
        asked: PermissionAsked | QuestionAsked
        if isinstance(line, Permission):
            asked = PermissionAsked(
                id=self._ids.ascending("per"),
                sessionID=session,
                permission=line.permission,
                patterns=line.patterns,
                metadata=line.metadata,
                always=line.always,
                tool=tool,
            )
        else:
            asked = QuestionAsked(
                id=self._ids.ascending("que"),
                sessionID=session,
                questions=line.questions,
                tool=tool,
            )
        self._waiting[asked.id] = _Ask(asked, record, line.turn, line.ask, answered)
        record.ask(asked)
        return asked.id

    def waiting(self, c: AskList) -> Sequence[PermissionAsked | QuestionAsked]:
        """Return what waits in a directory, or everywhere."""
        kind = PermissionAsked if c.kind == "permission" else QuestionAsked
        return [
            one.asked
            for one in self._waiting.values()
            if isinstance(one.asked, kind) and c.directory in (None, one.record.session.directory)
        ]

    def reply(self, c: PermissionReply) -> bool:
        """Give or refuse leave.

        Raises:
            CommandFailed: no such ask waits.
        """
        one = self._taken(c.request, PermissionAsked, c.session)
        self._permit(one, c.body)
        return True

    def answer(self, c: QuestionReply) -> bool:
        """Answer questions, or refuse to.

        Raises:
            CommandFailed: no such ask waits, or there are more or fewer answers than questions.
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
        self._answer(self._taken(c.request, QuestionAsked, None), c.answers)
        return True

    def withdraw(self, request: str) -> None:
        """Refuse an ask whose turn has ended, if the ask still waits."""
        one = self._waiting.pop(request, None)
        if one is None:
            return
        if isinstance(one.asked, PermissionAsked):
            self._permit(one, PermissionBody(reply="reject"))
        else:
            self._answer(one, None)

    def _taken(self, request: str, kind: type, session: str | None) -> _Ask:
        one = self._waiting.get(request)
        if one is None or not isinstance(one.asked, kind):
            what = "Permission" if kind is PermissionAsked else "Question"
            raise CommandFailed("not_found", f"{what} request not found: {request}")
        if session not in (None, one.asked.sessionID):
            raise CommandFailed("not_found", f"{request} is not of session {session}")
        return self._waiting.pop(request)

    def _permit(self, one: _Ask, body: PermissionBody) -> None:
        asked = one.asked
        one.record.answer(
            PermissionReplied(sessionID=asked.sessionID, requestID=asked.id, reply=body.reply)
        )
        message = body.message or ""
        one.answered(Reply(turn=one.turn, ask=one.name, reply=body.reply, message=message))

    def _answer(self, one: _Ask, answers: list[list[str]] | None) -> None:
        where = {"sessionID": one.asked.sessionID, "requestID": one.asked.id}
        if answers is None:
            one.record.answer(QuestionRejected(**where))
            one.answered(Reply(turn=one.turn, ask=one.name, reply="reject"))
        else:
            one.record.answer(QuestionReplied(**where, answers=answers))
            one.answered(Reply(turn=one.turn, ask=one.name, reply="answered", answers=answers))
