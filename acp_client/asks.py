"""Asks: permissions and questions that a tool has for a person.

An ask arrives as an event of the server. It is sent to the editor as a request, and the person's
answer is sent back to the server. Each ask waits for its answer in a thread of its own, so that
the event stream continues meanwhile. A subagent runs in a child session, which the editor does not
know; its asks are sent to the editor under the id of the session that the editor has opened.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from acp_client.api.server import Server, ServerFailure
from acp_client.attached import Attached
from acp_client.content import permission, question, tools
from acp_client.content.tools import PENDING
from acp_client.editor.peer import Ask
from acp_client.protocol.decode import properties_of
from acp_client.protocol.jsonrpc import RpcError
from acp_client.protocol.updates import NewToolCall, ToolCallUpdate
from acp_client.protocol.wire import (
    Event,
    Part,
    PartUpdated,
    PermissionRequest,
    QuestionRequest,
    Settled,
)
from bus.events import catalogue, type_of

log = logging.getLogger("weir.acp")


class Open(Struct):
    """An ask (a permission or a question) that is not answered yet.

    Attributes:
        root: the id of the session under which the editor was asked; empty before.
        ask: the request to the editor; None before it is sent.
        moot: whether another client has answered, so that the editor's answer is not needed.
    """

    root: str
    ask: Ask | None = None
    moot: bool = False


class Followed(Struct):
    """A tool call of a subagent that was shown to the editor because the call needs an answer.

    Attributes:
        root: the id of the session that the editor has open, a parent of the subagent's session.
        directory: the folder of the session `root`.
        shown: the parts of the call that the editor has already received.
    """

    root: str
    directory: str
    shown: tools.Shown


class EditorAsks:
    """Passes asks (permissions and questions) to the editor, and the answers back to the server.

    Args:
        server: sends requests to the server.
        ask: sends a request to the editor.
        root_of: takes a session's id; returns this session, or the nearest parent, that the
            editor has open; None if the editor has opened none of them.
        forms: returns whether the editor can show forms, which questions need.
        lock: the lock that protects all sessions.
    """

    def __init__(
        self,
        server: Server,
        ask: Callable[[str, Any], Ask],
        root_of: Callable[[str], Attached | None],
        forms: Callable[[], bool],
        lock: threading.RLock,
    ) -> None:
        self._server = server
        self._ask = ask
        self._root_of = root_of
        self._forms = forms
        self._lock = lock
        self._open: dict[str, Open] = {}
        self._followed: dict[str, Followed] = {}

    def take(self, event: Event) -> None:
        """Handle an event that begins or ends an ask; ignore other events.

        Raises:
            UnreadableAnswer: the event lacks a field that events of its type must have.
        """
        if event.type == catalogue.PermissionAsked.type:
            self._put(properties_of(event, PermissionRequest))
        elif event.type == catalogue.QuestionAsked.type:
            self._put(properties_of(event, QuestionRequest))
        elif type_of(event.type).removal_of is catalogue.REQUEST:
            self._settled(properties_of(event, Settled).requestID)

    def put_pending(self, directory: str) -> None:
        """Send the editor all asks of a folder that the server lists as unanswered."""
        get_or = self._server.get_or
        try:
            waiting: list[PermissionRequest | QuestionRequest] = [
                *get_or([], "/permission", list[PermissionRequest], directory),
                *get_or([], "/question", list[QuestionRequest], directory),
            ]
        except ServerFailure as error:
            log.warning(
                "permissions and questions that wait for an answer in %s are not shown in the "
                "editor, because they cannot be fetched: %s",
                directory,
                error,
            )
            return
        for one in waiting:
            self._put(one)

    def cancel(self, root: str) -> None:
        """Withdraw all open asks of a session; the server gets a refusal for each of them."""
        with self._lock:
            asks = [one.ask for one in self._open.values() if one.root == root and one.ask]
        for ask in asks:
            ask.withdraw()

    def follow(self, event: Event, send: Callable[[str, ToolCallUpdate], None]) -> None:
        """Send the editor the progress of a subagent's tool call, if it was asked about the call.

        Raises:
            UnreadableAnswer: the event lacks a field that events of its type must have.
        """
        if not self._followed or event.type != catalogue.PartUpdated.type:
            return
        part: Part = properties_of(event, PartUpdated).part
        followed = self._followed.get(part.callID)
        if followed is None:
            return
        update, followed.shown = tools.show(part, followed.shown, followed.directory)
        if isinstance(update, ToolCallUpdate):
            send(followed.root, update)
        if followed.shown.done:
            self._followed.pop(part.callID, None)

    def _put(self, asked: PermissionRequest | QuestionRequest) -> None:
        with self._lock:
            if asked.id in self._open:
                return
            self._open[asked.id] = Open("")
        threading.Thread(target=self._run, args=(asked,), daemon=True).start()

    def _settled(self, request_id: str) -> None:
        with self._lock:
            one = self._open.get(request_id)
            if one is None:
                return
            one.moot = True
        if one.ask is not None:
            one.ask.withdraw()

    def _run(self, asked: PermissionRequest | QuestionRequest) -> None:
        try:
            root = self._root_of(asked.sessionID)
            if root is not None:
                self._answer(asked, root, self._asked(asked, root))
        finally:
            with self._lock:
                self._open.pop(asked.id, None)

    def _asked(self, asked: PermissionRequest | QuestionRequest, root: Attached) -> Any:
        """Ask the editor, and wait; return its answer, None if there is no answer."""
        session = root.conversation.id
        if isinstance(asked, QuestionRequest):
            if not self._forms():
                return None
            method, params = "elicitation/create", question.form(asked, session)
        else:
            method = "session/request_permission"
            params = permission.question(asked, session, root.conversation.directory)
        with self._lock:
            one = self._open[asked.id]
            if one.moot:
                return None
            if asked.sessionID != session:
                self._announce(asked, root)
            one.root, one.ask = session, self._ask(method, params)
        try:
            return one.ask.wait()
        except RpcError as error:
            log.warning(
                "the editor answered the request %s with an error, so the server gets a refusal: "
                "%s",
                method,
                error.message,
            )
            return None

    def _announce(self, asked: PermissionRequest | QuestionRequest, root: Attached) -> None:
        """Show the editor a subagent's tool call before asking about the call.

        Some editors accept a request only for a tool call that they know.
        """
        call_id, conversation = asked.tool.callID, root.conversation
        if not call_id or call_id in self._followed:
            return
        if isinstance(asked, PermissionRequest):
            root.send([permission.call(asked)])
        else:
            kind = tools.kind_of("question")
            root.send(
                [NewToolCall(toolCallId=call_id, title="question", kind=kind, status=PENDING)]
            )
        shown = tools.Shown(status=PENDING)
        self._followed[call_id] = Followed(conversation.id, conversation.directory, shown)

    def _answer(
        self, asked: PermissionRequest | QuestionRequest, root: Attached, result: Any
    ) -> None:
        if self._open[asked.id].moot:
            return
        name = quote(asked.id, "")
        body: dict[str, Any]
        if isinstance(asked, PermissionRequest):
            path, body = f"/permission/{name}/reply", {"reply": permission.reply(result)}
        elif (answers := question.answers(asked, result)) is not None:
            path, body = f"/question/{name}/reply", {"answers": answers}
        else:
            path, body = f"/question/{name}/reject", {}
        try:
            self._server.ask("POST", path, body, root.conversation.directory)
        except ServerFailure as error:
            log.warning(
                "the answer to %s could not be sent to the server, which still waits for it: %s",
                asked.id,
                error,
            )
