"""Decides whether a tool call may run: by the rules, by earlier answers, or by asking a person.

Rules:

1. The answer "always" also allows later calls with the same patterns, until the processor stops.
   The answer counts in the session's git work tree, or, outside of work trees, in the session's
   directory. If the answer also allows other calls of the session that wait, they run too.
2. If a person refuses a permission, the other permissions that the session waits for are refused
   too. If the person has written a reason, the model reads the reason; otherwise the turn stops.
3. A request that no person answers in time is refused; the model reads the reason, and the turn
   goes on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import msgspec
from gevent.event import AsyncResult
from msgspec import Struct

from bus.agent_lines import PermissionLine, QuestionsLine, ReplyWork
from bus.answers import CommandFailed
from bus.bodies import PermissionBody
from bus.commands import PermissionReply
from bus.events.session import Question, Session, ToolRef
from processor.folders import Folders
from processor.native.asks import Asker, PendingAsks
from processor.native.permissions import CallRules, PermissionRule
from processor.native.record import Record
from processor.tools.tool import CallRefused, Need

_MOST_PLACES, _MOST_RULES = 1000, 1000
_REJECTED = "The user rejected permission to use this specific tool call."
_SHOWN_RULES = 20


class Stopped(CallRefused):
    """A person has refused a call and has given no reason, so the turn stops."""


class _WaitingCall(Struct):
    session: Session
    need: Need
    rules: CallRules


class Permits:
    """The permissions that people have given, and the calls that wait for a person's answer.

    Args:
        asks: publishes requests for permissions and questions, and receives the answers.
        within_s: how many seconds a person may take to answer.
        folders: knows the work trees of directories.
    """

    def __init__(self, asks: PendingAsks, within_s: float, folders: Folders) -> None:
        self._folders = folders
        self._asks = asks
        self._within_s = within_s
        self._allowed: OrderedDict[str, list[PermissionRule]] = OrderedDict()
        self._waiting: dict[str, _WaitingCall] = {}

    def allows(self, need: Need, session: Session, rules: CallRules) -> bool:
        """Return whether the rules or earlier answers allow a call, without asking a person."""
        return self._decide(need, session, rules) == "allow"

    def need(self, need: Need, record: Record, rules: CallRules, call: ToolRef) -> None:
        """Return as soon as a call is allowed; if the rules say so, ask a person and wait.

        Raises:
            CallRefused: a rule or a person refuses the call, or no person answers in time.
            Stopped: a person refuses without a reason.
        """
        found = self._decide(need, record.session, rules)
        if found == "deny":
            words = msgspec.json.encode(rules.denying(need)[-_SHOWN_RULES:]).decode()
            raise CallRefused(
                "The user has specified a rule which prevents you from using this specific tool "
                f"call. Here are some of the relevant rules {words}"
            )
        if found == "ask":
            self._ask(need, record, rules, call)

    def question(
        self, questions: Sequence[Question], record: Record, call: ToolRef
    ) -> list[list[str]]:
        """Ask a person questions, wait, and return for each question the chosen answers.

        Raises:
            CallRefused: no person answers in time, or too many requests wait.
            Stopped: the person declines to answer.
        """
        line = QuestionsLine(turn=call.callID, ask=call.callID, questions=list(questions))
        reply = self._answer(line, record, call, None)
        if reply.reply == "reject":
            raise Stopped("The user dismissed this question.")
        return reply.answers

    def _decide(self, need: Need, session: Session, rules: CallRules) -> str:
        return rules.decide(need, self._allowed.get(self._place(session), ()))

    def _ask(self, need: Need, record: Record, rules: CallRules, call: ToolRef) -> None:
        line = PermissionLine(
            turn=call.callID,
            ask=call.callID,
            permission=need.permission,
            patterns=need.patterns,
            always=need.always,
            metadata=need.metadata,
        )
        session = record.session
        reply = self._answer(line, record, call, _WaitingCall(session, need, rules))
        if reply.reply == "reject":
            self._reject_others(session.id)
            if reply.message:
                words = f" with the following feedback: {reply.message}"
                raise CallRefused(_REJECTED.removesuffix(".") + words)
            raise Stopped(_REJECTED)
        if reply.reply == "always":
            self._allow(need, self._place(session))
            self._release_others(session.id)

    def _answer(
        self,
        line: PermissionLine | QuestionsLine,
        record: Record,
        call: ToolRef,
        waiting: _WaitingCall | None,
    ) -> ReplyWork:
        came: AsyncResult[ReplyWork] = AsyncResult()
        asker = Asker(record, "", line.turn, came.set, lasts=False)
        try:
            request = self._asks.ask(line, asker, call)
        except CommandFailed as error:
            raise CallRefused(f"The user cannot be asked: {error}") from None
        if waiting is not None:
            self._waiting[request] = waiting
        try:
            reply = came.wait(self._within_s)
            if reply is None:
                words = f"no person has answered within {self._within_s:g} s (--ask-timeout)"
                raise CallRefused(words)
            return reply
        finally:
            self._waiting.pop(request, None)
            self._asks.withdraw(request)

    def _allow(self, need: Need, place: str) -> None:
        allowed = self._allowed.setdefault(place, [])
        self._allowed.move_to_end(place)
        allowed += [PermissionRule(need.permission, pattern, "allow") for pattern in need.always]
        del allowed[:-_MOST_RULES]
        if len(self._allowed) > _MOST_PLACES:
            self._allowed.popitem(last=False)

    def _release_others(self, session: str) -> None:
        for request, one in list(self._waiting.items()):
            is_same = one.session.id == session
            if is_same and self.allows(one.need, one.session, one.rules):
                self._reply(request, "always")

    def _reject_others(self, session: str) -> None:
        for request, one in list(self._waiting.items()):
            if one.session.id == session:
                self._reply(request, "reject")

    def _reply(self, request: str, reply: str) -> None:
        body = msgspec.convert({"reply": reply}, PermissionBody)
        self._asks.reply(PermissionReply(request, body))

    def _place(self, session: Session) -> str:
        """Return the folder in which the answer "always" counts (rule 1).

        This cannot be the project id: all folders outside of work trees have the same project id.
        """
        project = self._folders.known(session.directory)
        if project is None or not project.is_git:
            return session.directory
        return project.worktree
