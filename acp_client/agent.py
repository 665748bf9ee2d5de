"""The methods of ACP that an editor calls, carried out with the sessions of one server.

One lock protects all sessions. Updates for the editor are queued while the lock is held, so that
they stay in order; requests to the server are sent without the lock, because they may take long.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from msgspec import Raw

from acp_client.api.feed import EventFeed
from acp_client.api.folders import check_system, folder_of
from acp_client.api.server import Server, ServerFailure
from acp_client.asks import EditorAsks
from acp_client.attached import Attached
from acp_client.content.blocks import BadBlock, parts_of
from acp_client.content.options import MODE, UnknownChoice
from acp_client.editor.outlet import EditorOutlet
from acp_client.editor.peer import Handler, Job, Peer, Result
from acp_client.opening import Opening
from acp_client.prompting import Prompting
from acp_client.protocol import methods
from acp_client.protocol.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, NOT_FOUND, RpcError
from acp_client.protocol.methods import ClientCapabilities, params
from acp_client.protocol.updates import ModeChanged, OptionsChanged
from acp_client.protocol.wire import Session
from acp_client.router import SessionRouter
from bus.process.version import installed_version

log = logging.getLogger("weir.acp")

PROTOCOL_VERSION = 1
_PAGE = 100
_MOST_LISTED = 10_000
_CLOSE_S = 12.0
_END_S = 3.0
_CAPABILITIES = {
    "loadSession": True,
    "promptCapabilities": {"image": True, "audio": False, "embeddedContext": True},
    "mcpCapabilities": {"http": True, "sse": True},
    "sessionCapabilities": {"list": {}, "resume": {}, "close": {}, "delete": {}},
}


class ACPAgent:
    """Connects one editor to one server: the methods that the editor calls, and their answers.

    Args:
        server: sends requests to weir or the opencode.
        feed: the event stream of the server.
        outlet: writes to the editor.
        directory: the folder whose sessions are listed if the editor names no folder.
    """

    def __init__(
        self, server: Server, feed: EventFeed, outlet: EditorOutlet, directory: str
    ) -> None:
        lock = threading.RLock()
        self._server, self._feed, self._outlet = server, feed, outlet
        self._directory = directory
        self._lock = lock
        self._client = ClientCapabilities()
        self._started = False
        self.peer = Peer(outlet, self._requests(), self._notifications())
        self._router = router = SessionRouter(server, outlet, lock)
        router.notices = lambda: self._client.notices
        asks = EditorAsks(server, self.peer.ask, router.root_of, lambda: self._client.forms, lock)
        router.set_asks(asks)
        self._prompting = Prompting(server, feed, asks.cancel, lock)
        self._opening = Opening(server, router, outlet, asks.put_pending, lock)

    def end(self) -> None:
        """Stop all running turns and write what is queued, because the editor has gone."""
        with self._lock:
            running = [one for one in self._router.sessions.values() if one.running is not None]
        for one in running:
            self._prompting.cancel(one)
        for one in running:
            self._prompting.stop(one, _END_S)
        self._outlet.flush(_END_S)

    def _requests(self) -> dict[str, Handler]:
        return {
            "initialize": self._initialize,
            "authenticate": self._authenticate,
            "session/new": self._new,
            "session/load": self._load,
            "session/resume": self._resume,
            "session/list": self._list,
            "session/close": self._close,
            "session/delete": self._delete,
            "session/set_mode": self._set_mode,
            "session/set_config_option": self._set_option,
            "session/prompt": self._prompt,
        }

    def _notifications(self) -> dict[str, Callable[[Raw], None]]:
        return {"session/cancel": self._cancel, "$/cancel_request": self._cancel_request}

    def _initialize(self, raw: Raw) -> Result:
        given = params(raw, methods.Initialize)
        self._client = given.clientCapabilities or ClientCapabilities()
        if not self._started:
            self._started = True
            self._feed.start(self._router)
        return Result(
            {
                "protocolVersion": PROTOCOL_VERSION,
                "agentCapabilities": _CAPABILITIES,
                "agentInfo": {"name": "weir", "title": "weir", "version": installed_version()},
                "authMethods": [],
            }
        )

    def _authenticate(self, raw: Raw) -> Result:
        words = (
            "methodId: this agent has no authentication methods; give the server's login in the "
            "URL of --server, in WEIR_TOKEN or in OPENCODE_SERVER_PASSWORD"
        )
        raise RpcError(INVALID_PARAMS, words)

    def _new(self, raw: Raw) -> Job:
        given = params(raw, methods.NewSession)
        folder = folder_of(given.cwd)
        return self._job(lambda: self._opening.make(folder, given.mcpServers))

    def _load(self, raw: Raw) -> Job:
        given = params(raw, methods.OldSession)
        folder_of(given.cwd)
        return self._job(lambda: self._opening.load(given))

    def _resume(self, raw: Raw) -> Job:
        given = params(raw, methods.OldSession)
        folder_of(given.cwd)
        return self._job(lambda: self._opening.resume(given))

    def _list(self, raw: Raw) -> Job:
        given = params(raw, methods.ListSessions)
        folder = folder_of(given.cwd) if given.cwd else self._directory
        try:
            begin = int(given.cursor or 0)
        except ValueError:
            words = f"cursor: {given.cursor!r} is not a `nextCursor` that this agent has returned"
            raise RpcError(INVALID_PARAMS, words) from None
        return self._job(lambda: self._listed(folder, max(0, begin)))

    def _listed(self, folder: str, begin: int) -> Result:
        check_system(folder, self._server)
        found = self._server.get(
            "/session", list[Session], folder, roots="true", limit=_MOST_LISTED
        )
        page = [_info(one) for one in found[begin : begin + _PAGE]]
        more = {"nextCursor": str(begin + _PAGE)} if len(found) > begin + _PAGE else {}
        return Result({"sessions": page, **more})

    def _close(self, raw: Raw) -> Job:
        attached = self._attached(params(raw, methods.OneSession).sessionId)
        return self._job(lambda: self._closed(attached))

    def _closed(self, attached: Attached) -> Result:
        self._prompting.stop(attached, _CLOSE_S)
        with self._lock:
            self._router.sessions.pop(attached.conversation.id, None)
        return Result({})

    def _delete(self, raw: Raw) -> Job:
        given = params(raw, methods.OneSession)
        return self._job(lambda: self._deleted(given.sessionId))

    def _deleted(self, session_id: str) -> Result:
        session = self._opening.find(session_id)
        attached = self._router.sessions.get(session_id)
        if attached is not None:
            self._closed(attached)
        self._server.ask("DELETE", f"/session/{quote(session_id, '')}", None, session.directory)
        return Result({})

    def _set_mode(self, raw: Raw) -> Result:
        given = params(raw, methods.SetMode)
        attached = self._attached(given.sessionId)
        self._choose(attached, MODE, given.modeId)
        changed = OptionsChanged(configOptions=attached.conversation.choices.options())
        return Result({}, lambda: attached.send([changed]))

    def _set_option(self, raw: Raw) -> Result:
        given = params(raw, methods.SetOption)
        attached = self._attached(given.sessionId)
        self._choose(attached, given.configId, given.value)
        answer = {"configOptions": attached.conversation.choices.options()}
        if given.configId != MODE:
            return Result(answer)
        return Result(answer, lambda: attached.send([ModeChanged(currentModeId=given.value)]))

    def _choose(self, attached: Attached, option: str, value: str) -> None:
        try:
            with self._lock:
                attached.conversation.choices.choose(option, value)
        except UnknownChoice as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None

    def _prompt(self, raw: Raw) -> Job:
        given = params(raw, methods.SessionPrompt)
        attached = self._attached(given.sessionId)
        if not given.prompt:
            raise RpcError(
                INVALID_PARAMS, "prompt: the list is empty; send at least one content block"
            )
        try:
            parts = parts_of(given.prompt)
        except BadBlock as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None
        return self._prompting.begin(attached, parts)

    def _cancel(self, raw: Raw) -> None:
        attached = self._router.sessions.get(params(raw, methods.OneSession).sessionId)
        if attached is not None:
            self._prompting.cancel(attached)

    def _cancel_request(self, raw: Raw) -> None:
        self.peer.cancel(params(raw, methods.CancelRequest).requestId)

    def _attached(self, session_id: str) -> Attached:
        attached = self._router.sessions.get(session_id)
        if attached is None:
            words = (
                f"sessionId: the session {session_id!r} is not open; open it first with "
                "session/new, session/load or session/resume"
            )
            raise RpcError(NOT_FOUND, words)
        return attached

    def _job(self, run: Callable[[], Result]) -> Job:
        """Return a job that sends requests to the server.

        If a request fails, the editor gets the failure as the error of its own request.
        """

        def guarded() -> Result:
            try:
                return run()
            except ServerFailure as failure:
                raise RpcError(INTERNAL_ERROR, str(failure)) from failure

        return Job(guarded)


def _info(session: Session) -> dict[str, Any]:
    info: dict[str, Any] = {"sessionId": session.id, "cwd": session.directory}
    if session.title:
        info["title"] = session.title
    if session.time.updated_iso:
        info["updatedAt"] = session.time.updated_iso
    return info
