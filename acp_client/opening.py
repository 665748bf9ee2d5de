"""Opens sessions for the editor: creates them, loads them with their history, or resumes them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from acp_client.api.folders import check_exists, check_system
from acp_client.api.server import Server, ServerFailure, ServerRefused
from acp_client.attached import Attached
from acp_client.content.mcp import servers_of
from acp_client.content.options import AgentEntry, Catalogue, Choices, Config, Providers
from acp_client.content.plan import plan_of
from acp_client.content.usage import Meter
from acp_client.editor.outlet import EditorOutlet
from acp_client.editor.peer import Result
from acp_client.prompting import COMPACT
from acp_client.protocol import decode
from acp_client.protocol.jsonrpc import INVALID_REQUEST, NOT_FOUND, RpcError
from acp_client.protocol.methods import OldSession
from acp_client.protocol.updates import Command, Commands
from acp_client.protocol.wire import Session, SlashCommand, Stored, Todo
from acp_client.router import SessionRouter
from acp_client.session.conversation import Conversation
from acp_client.session.history import replay

_RECENT = 100
_OWN_IDS = "ses"
_COMPACT = Command(COMPACT, "Summarise the session to free its context")
log = logging.getLogger("weir.acp")


class Opening:
    """Carries out `session/new`, `session/load` and `session/resume`.

    Args:
        server: sends requests to the server.
        router: knows the sessions that the editor has open.
        outlet: writes to the editor.
        put_pending: takes a folder, and sends the editor all permissions and questions that wait
            for an answer there.
        lock: the lock that protects all sessions.
    """

    def __init__(
        self,
        server: Server,
        router: SessionRouter,
        outlet: EditorOutlet,
        put_pending: Callable[[str], None],
        lock: threading.RLock,
    ) -> None:
        self._server = server
        self._router = router
        self._outlet = outlet
        self._put_pending = put_pending
        self._lock = lock

    def make(self, directory: str, mcp: Any) -> Result:
        """Create a session in a folder, with the MCP servers that the editor names."""
        check_system(directory, self._server)
        check_exists(directory, self._server)
        made = self._server.ask("POST", "/session", {}, directory)
        session = decode.read(made, Session)
        attached = self._attach(session, directory, mcp, cost=0.0)
        with self._or_detached(attached):
            answer = {"sessionId": session.id, **_choices(attached)}
            return Result(answer, self._after(attached, is_new=True))

    def load(self, old: OldSession) -> Result:
        """Open an existing session; its whole history is sent to the editor before the answer."""
        check_system(old.cwd, self._server)
        session = self.find(old.sessionId, old.cwd)
        attached = self._attach(session, old.cwd, old.mcpServers, cost=0.0)
        with self._or_detached(attached):
            folder = attached.conversation.directory
            stored = self._server.get(f"{attached.path}/message", list[Stored], folder)
            todos = self._server.get_or([], f"{attached.path}/todo", list[Todo], folder)
            with self._lock:
                attached.send(replay(stored, attached.conversation))
                if todos:
                    attached.send([plan_of(todos)])
            return Result(_choices(attached), self._after(attached))

    def resume(self, old: OldSession) -> Result:
        """Open an existing session whose history the editor has already; it is not sent again."""
        check_system(old.cwd, self._server)
        session = self.find(old.sessionId, old.cwd)
        attached = self._attach(session, old.cwd, old.mcpServers, session.cost or 0.0)
        with self._or_detached(attached):
            path, folder = f"{attached.path}/message", attached.conversation.directory
            for one in self._server.get(path, list[Stored], folder, limit=_RECENT):
                attached.conversation.was_shown(one.info)
            return Result(_choices(attached), self._after(attached))

    def find(self, session_id: str, directory: str = "") -> Session:
        """Fetch a session from the server.

        Raises:
            RpcError: the session does not exist.
            ServerFailure: the server cannot be reached, or answers with another error.
        """
        path = f"/session/{quote(session_id, '')}"
        try:
            return self._server.get(path, Session, directory)
        except ServerRefused as refused:
            # opencode answers 500 instead of 404 if the id does not begin as its own ids do.
            if refused.status in (400, 404) or not session_id.startswith(_OWN_IDS):
                words = f"sessionId: the session {session_id!r} does not exist on the server"
                raise RpcError(NOT_FOUND, words) from None
            raise

    def _attach(self, session: Session, directory: str, mcp: Any, cost: float) -> Attached:
        """Add a session to the sessions that the editor has open.

        The session's events wait until the editor has the answer to its request (`go_live`).
        """
        session.directory = session.directory or directory
        catalogue = self._catalogue(session.directory)
        choices = Choices(catalogue, session)
        conversation = Conversation(session, choices, Meter(catalogue.sizes, cost))
        attached = Attached(conversation, self._server, self._outlet, self._lock)
        with self._lock:
            before = self._router.sessions.get(session.id)
            if before is not None and before.running is not None:
                raise RpcError(
                    INVALID_REQUEST,
                    f"sessionId: a turn runs in the session {session.id!r}; cancel the turn, or "
                    "wait until it has ended",
                )
            self._router.sessions[session.id] = attached
        self._add(mcp, session.directory)
        return attached

    @contextmanager
    def _or_detached(self, attached: Attached) -> Iterator[None]:
        """Close a session again if the ``with`` block raises an exception."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._router.sessions.pop(attached.conversation.id, None)
            raise

    def _catalogue(self, folder: str) -> Catalogue:
        get_or = self._server.get_or
        return Catalogue(
            get_or(Providers(), "/config/providers", Providers, folder),
            get_or([], "/agent", list[AgentEntry], folder),
            get_or(Config(), "/config", Config, folder),
        )

    def _add(self, given: Any, folder: str) -> None:
        servers, problems = servers_of(given)
        for problem in problems:
            log.warning("an MCP server that the editor has configured is not used: %s", problem)
        for one in servers:
            try:
                body = {"name": one.name, "config": one.config}
                self._server.ask("POST", "/mcp", body, folder)
            except ServerFailure as failure:
                log.warning(
                    "the MCP server %r is not used, because the agent server cannot add it: %s",
                    one.name,
                    failure,
                )

    def _after(self, attached: Attached, is_new: bool = False) -> Callable[[], None]:
        """Return the function that sends updates of the session after the answer to the request.

        Editors drop updates of a session whose id they do not have yet.
        """
        folder = attached.conversation.directory
        offered = _commands(self._server.get_or([], "/command", list[SlashCommand], folder))
        attached.commands = frozenset(one.name for one in offered)

        def after() -> None:
            with self._lock:
                attached.go_live()
                if offered:
                    attached.send([Commands(availableCommands=offered)])
            if not is_new:
                self._put_pending(folder)

        return after


def _choices(attached: Attached) -> dict[str, Any]:
    choices = attached.conversation.choices
    modes = choices.modes()
    return {"configOptions": choices.options(), **({"modes": modes} if modes else {})}


def _commands(found: Sequence[SlashCommand]) -> list[Command]:
    """Return the slash commands that the editor can offer.

    `/compact` is added only if the server has commands: a server without them cannot compact.
    """
    offered = [
        Command(one.name, one.description or one.name, {"hint": "arguments"}) for one in found
    ]
    return [*offered, _COMPACT] if offered else []
