"""Permissions and questions: passed from a tool to the editor, and a person's answers back.

Each ask waits for the editor in a thread of its own, so the stream continues meanwhile. An ask of
a subagent is passed on in the name of the session at the top of its line of parents: the editor
only knows this session.
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
    """An ask without an answer so far.

    Attributes:
        root: the session in whose name the editor was asked.
        moot: another client has answered.
    """

    root: str
    ask: Ask | None = None
    moot: bool = False


class Followed(Struct):
    """A tool call of a subagent, which the editor has seen because of an ask.

    Attributes:
        root: the editor's session above the subagent.
        directory: of this session.
        shown: what the editor has of the call.
    """

    root: str
    directory: str
    shown: tools.Shown


class EditorAsks:
    """Passes asks to the editor, and the answers back to the server.

    Args:
        server: the server that asks.
        ask: sends the editor a request.
        root_of: returns the editor's session above a session, None if there is none.
        forms: returns whether the editor can show a form.
        lock: the agent's.
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
        """Handle an event, if it is about an ask.

        Raises:
            UnreadableAnswer: the event lacks what its type needs.
        """
        if event.type == catalogue.PermissionAsked.type:
            self._put(properties_of(event, PermissionRequest))
        elif event.type == catalogue.QuestionAsked.type:
            self._put(properties_of(event, QuestionRequest))
        elif type_of(event.type).removal_of is catalogue.REQUEST:
            self._settled(properties_of(event, Settled).requestID)

    def put_pending(self, directory: str) -> None:
        """Ask the editor everything that waits for an answer in a folder."""
        get_or = self._server.get_or
        try:
            waiting: list[PermissionRequest | QuestionRequest] = [
                *get_or([], "/permission", list[PermissionRequest], directory),
                *get_or([], "/question", list[QuestionRequest], directory),
            ]
        except ServerFailure as error:
            log.warning("the pending permissions and questions cannot be fetched: %s", error)
            return
        for one in waiting:
            self._put(one)

    def cancel(self, root: str) -> None:
        """Refuse all open asks of a session."""
        with self._lock:
            asks = [one.ask for one in self._open.values() if one.root == root and one.ask]
        for ask in asks:
            ask.withdraw()

    def follow(self, event: Event, send: Callable[[str, ToolCallUpdate], None]) -> None:
        """Send the progress of a subagent's tool call, if the editor was asked about this call.

        Raises:
            UnreadableAnswer: the event lacks what its type needs.
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
        """Return the editor's answer, None if it gives none."""
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
            log.warning("%s: the editor answered with an error: %s", method, error.message)
            return None

    def _announce(self, asked: PermissionRequest | QuestionRequest, root: Attached) -> None:
        """Send a subagent's tool call before its ask: some editors must know the call."""
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
            log.warning("an answer could not be sent to the server: %s", error)
