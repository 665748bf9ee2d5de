"""Answers the workers' commands: from the mirrors, or by the processors that a command is for.

With several processors, each has sessions of its own:

==========================  =======================================================================
command                     goes to
==========================  =======================================================================
of a session                the processor that has the session
a new session               the processor that runs the fewest turns, or that of its parent
an answer to a request      the processor that asks
a list that can be merged   all processors that are alive, see `gateway.bridge.merging`
of an agent, and pages      the only processor; with several it is refused
any other                   any processor that is alive
==========================  =======================================================================
"""

from __future__ import annotations

from collections import OrderedDict

from bus.agent_commands import AgentLines, AgentWork
from bus.answers import AnswerBody, CommandFailed
from bus.commands import (
    Command,
    More,
    PermissionReply,
    QuestionReply,
    Readiness,
    Replay,
    Search,
    SessionCreate,
    SessionDelete,
    SessionsV2,
    SnapshotGet,
)
from bus.transport import clone, replay
from gateway.bridge.merging import MERGED, readiness
from gateway.bridge.mirror import Mirror
from gateway.bridge.processors import Processors

_KNOWN_SESSIONS = 10_000
_ASKING = ("permission", "question")
_ALONE = AgentLines | AgentWork | Search | SessionsV2


class CommandRouter:
    """Handles the commands of all workers of this machine.

    Args:
        processors: all processors that were seen in Redis.
    """

    def __init__(self, processors: Processors) -> None:
        self._processors = processors
        self._homes: OrderedDict[str, str] = OrderedDict()

    def handle(self, command: Command) -> AnswerBody:
        """Return the answer to a command.

        Raises:
            CommandFailed: the command is refused, or no processor can execute it now.
        """
        processors = self._processors
        if isinstance(command, Replay):
            return AnswerBody(replay.answer(self._of_epoch(command.epoch), command))
        if isinstance(command, SnapshotGet):
            return AnswerBody(clone.answer(self._mirror(command.source)))
        if isinstance(command, Readiness):
            return AnswerBody(readiness(processors))
        if isinstance(command, More):
            return processors.next_piece(command)
        alive = processors.alive()
        if len(processors.mirrors) == 1:
            return processors.ask(alive[0], command)
        if isinstance(command, _ALONE):
            if len(alive) == 1:
                return processors.ask(alive[0], command)
            what = type(command).__name__
            raise CommandFailed("unsupported", f"{what}: {len(alive)} processors share this bus")
        if (merge := MERGED.get(type(command))) is not None:
            return AnswerBody(merge(command, [processors.whole(one, command) for one in alive]))
        if isinstance(command, PermissionReply | QuestionReply):
            return processors.ask(self._asking(command.request), command)
        if isinstance(command, SessionCreate):
            return self._create(command)
        session = getattr(command, "session", None)
        if isinstance(session, str):
            return self._of_session(session, command)
        return processors.ask(alive[0], command)

    def _create(self, command: SessionCreate) -> AnswerBody:
        parent = command.body.parentID
        if parent is not None and (home := self._home(parent)) is not None:
            return self._processors.ask(home, command)
        return self._processors.ask(self._processors.least_busy(), command)

    def _of_session(self, session: str, command: Command) -> AnswerBody:
        """Ask the processor that has a session; if it is not known, each one in turn."""
        processors, home = self._processors, self._home(session)
        if home is None:
            refusal: CommandFailed | None = None
            alive = processors.alive()
            for source in alive:
                try:
                    answer = processors.ask(source, command)
                except CommandFailed as failure:
                    if failure.kind != "not_found":
                        raise
                    refusal = failure
                else:
                    self._note(session, source)
                    return answer
            if away := sorted(set(processors.mirrors) - set(alive)):
                raise processors.absence(away[0])  # it may have the session
            raise refusal or processors.absence()
        if isinstance(command, SessionDelete):
            self._homes.pop(session, None)
        return processors.ask(home, command)

    def _home(self, session: str) -> str | None:
        """Return the source that has a session, None if it is not known."""
        for source, mirror in self._processors.mirrors.items():
            if session in mirror.ledger.sessions:
                return source
        return self._homes.get(session)

    def _note(self, session: str, source: str) -> None:
        self._homes[session] = source
        while len(self._homes) > _KNOWN_SESSIONS:
            self._homes.popitem(last=False)

    def _asking(self, request: str) -> str:
        """Return the source that waits for a person's answer to a request."""
        for source, mirror in self._processors.mirrors.items():
            for session in mirror.ledger.sessions.values():
                if any((kind, request) in session.entries for kind in _ASKING):
                    return source
        raise CommandFailed("not_found", f"request {request} is not open")

    def _of_epoch(self, epoch: str) -> Mirror:
        for mirror in self._processors.mirrors.values():
            if mirror.epoch == epoch:
                return mirror
        raise CommandFailed("not_found", f"epoch {epoch} has ended, or was never seen here")

    def _mirror(self, source: str | None) -> Mirror:
        mirrors = self._processors.mirrors
        if source is None and mirrors:
            return next(iter(mirrors.values()))
        if source is None or source not in mirrors:
            raise self._processors.absence(source)
        return mirrors[source]
