"""Finds the function that executes a command of a gateway, and returns the answer's body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from bus.agent_commands import AgentLines, AgentList, AgentWork
from bus.answers import AnswerBody, CommandFailed
from bus.bodies import ModelInput
from bus.commands import (
    Abort,
    Asks,
    Command,
    Describe,
    Directories,
    Dispose,
    Files,
    MessageDelete,
    MessageGet,
    MessageList,
    More,
    PartPatch,
    PermissionReply,
    Prompt,
    QuestionReply,
    Readiness,
    Replay,
    Search,
    SessionChildren,
    SessionCreate,
    SessionDelete,
    SessionDiff,
    SessionFork,
    SessionGet,
    SessionList,
    SessionPatch,
    SessionRevert,
    SessionSummarize,
    SessionsV2,
    Shell,
    Slash,
    SnapshotGet,
    Statuses,
    TodoList,
    ToolOutput,
    TurnWait,
)
from bus.events import event_of
from bus.events.catalogue import CommandExecuted, GlobalDisposed, InstanceDisposed, Properties
from bus.events.session import FileDiff, Todo
from bus.found import FoundPage
from bus.mcp import McpAdd, McpStatus, McpSwitch
from bus.transport import clone, replay
from bus.transport.publisher import Publisher
from processor.agents.agents import Agents
from processor.commands import cursor
from processor.commands.describe import Descriptions
from processor.commands.edits import EditCommands
from processor.commands.files import FileCommands
from processor.commands.mcp import McpCommands
from processor.commands.pieces import Pieces
from processor.commands.prompts import Prompts
from processor.commands.sessions import ABORT_S, SessionCommands
from processor.commands.slash import commands, prompt_of
from processor.native.asks import PendingAsks as Waiting
from processor.native.compaction import Compactions
from processor.native.record import Record, Services
from processor.native.shell import ShellCommands
from processor.native.turns import Turns
from processor.store import agents as stored_agents
from processor.store import diffs, failures, search, sessions
from processor.store.failures import StoreFailed
from processor.store.messages import DuplicateId, UnknownMessage
from processor.store.sessions import UnknownSession

MAX_WAIT_MS = 60_000
_MOST_WORDS = 32
_SUMMARY_S = 5.0
_STILL_RUNNING = AnswerBody(b"null")
_encode = msgspec.json.Encoder().encode


class Dispatch:
    """Executes commands; `bus.transport.responder` calls this in a greenlet for each command."""

    def __init__(
        self,
        publisher: Publisher,
        services: Services,
        turns: Turns,
        session_commands: SessionCommands,
        prompts: Prompts,
        descriptions: Descriptions,
        agents: Agents,
        asks: Waiting,
        compactions: Compactions,
        files: FileCommands,
        shell: ShellCommands,
        mcp: McpCommands,
    ) -> None:
        self._publisher = publisher
        self._services = services
        self._database = services.database
        self._turns = turns
        self._sessions = session_commands
        self._prompts = prompts
        self._descriptions = descriptions
        self._agents = agents
        self._compactions = compactions
        pieces = Pieces(services)
        edits = EditCommands(services, turns)
        self._long: dict[type, Callable[[Any], AnswerBody]] = {
            SessionList: pieces.sessions,
            MessageList: pieces.messages,
            MessageGet: pieces.message,
            ToolOutput: pieces.output,
            Files: files,
            TurnWait: lambda c: pieces.answer(c) if self._is_over(c) else _STILL_RUNNING,
            More: pieces.more,
        }
        self._plain: dict[type, Callable[[Any], Any]] = {
            SessionCreate: lambda c: self._sessions.create(c.directory, c.body),
            SessionGet: lambda c: self._database.call(sessions.get, c.session),
            SessionPatch: lambda c: self._sessions.patch(c.session, c.body),
            SessionDelete: self._session_delete,
            SessionChildren: lambda c: self._sessions.children(c.session),
            SessionFork: lambda c: self._sessions.fork(c.session, c.body),
            SessionRevert: lambda c: edits.revert(c.session, c.body),
            MessageDelete: edits.remove,
            PartPatch: edits.patch_part,
            SessionDiff: self._diff,
            SessionsV2: self._sessions.page,
            Directories: lambda c: self._descriptions.directories(c.project),
            Dispose: self._dispose,
            Search: self._search,
            McpStatus: mcp.status,
            McpAdd: mcp.add,
            McpSwitch: mcp.switch,
            Slash: self._slash,
            SessionSummarize: self._summarize,
            Shell: lambda c: {"messageID": shell.accept(c.session, c.body)},
            Prompt: lambda c: {"messageID": self._prompts.accept(c.session, c.body)},
            Abort: self._abort,
            Statuses: lambda c: self._services.statuses.of(c.directory),
            AgentLines: agents.lines,
            AgentWork: agents.work,
            AgentList: lambda _: agents.known(),
            Asks: asks.waiting,
            PermissionReply: asks.reply,
            QuestionReply: asks.answer,
            TodoList: self._todos,
            Describe: lambda c: self._descriptions.of(c.what, c.directory),
            Readiness: self._readiness,
        }

    def __call__(self, command: Command) -> AnswerBody:
        """Execute a command, and return the body of the answer.

        Raises:
            CommandFailed: the command failed; its kind decides the HTTP status of the answer.
        """
        command = self._services.folders.placed(command)
        try:
            if isinstance(command, Replay):
                return AnswerBody(replay.answer(self._publisher, command))
            if isinstance(command, SnapshotGet):
                return AnswerBody(clone.answer(self._publisher))
            if (begin := self._long.get(type(command))) is not None:
                return begin(command)
            return AnswerBody(_encode(self._plain[type(command)](command)))
        except (UnknownSession, UnknownMessage) as error:
            raise CommandFailed("not_found", str(error)) from error
        except DuplicateId as error:
            raise CommandFailed("conflict", str(error)) from error
        except cursor.BadCursor as error:
            raise CommandFailed("invalid", str(error)) from error
        except StoreFailed as error:
            raise failures.refusal(error) from error

    def _readiness(self, _: Readiness) -> dict[str, Any]:
        """Return whether turns can be saved, and if not, why; test a failed store again."""
        trouble = self._database.trouble
        self._database.try_again()
        reasons = [] if trouble is None else [trouble]
        return {"ready": trouble is None, "reasons": reasons, "agents": self._agents.figures()}

    def _summarize(self, c: SessionSummarize) -> bool:
        """Request a summary; wait until it is finished, but for `_SUMMARY_S` seconds at most."""
        model = ModelInput(c.body.providerID, c.body.modelID)
        self._prompts.check_model(model)
        asked = self._compactions.ask(c.session, model, bool(c.body.auto))
        self._turns.wait(c.session, asked, _SUMMARY_S)
        return True

    def _session_delete(self, c: SessionDelete) -> bool:
        self._sessions.delete(c.session)
        return True

    def _todos(self, c: TodoList) -> list[Todo]:
        self._database.call(sessions.get, c.session)
        return self._database.call(stored_agents.todos, c.session)

    def _diff(self, c: SessionDiff) -> list[FileDiff]:
        self._database.call(sessions.check, c.session)
        return self._database.call(diffs.of_session, c.session, c.message)

    def _search(self, c: Search) -> FoundPage:
        words = [
            word for word in c.query.replace("\0", " ").split() if any(map(str.isalnum, word))
        ]
        if not words:
            raise CommandFailed("invalid", f"q: {c.query[:40]!r} has no word", field="q")
        return self._database.read(
            search.find, words[:_MOST_WORDS], c.session, c.directory, c.before, c.limit
        )

    def _slash(self, c: Slash) -> dict[str, str]:
        session = self._database.call(sessions.get, c.session)
        folders, directory = self._services.folders, session.directory
        prompt = prompt_of(c.body, folders.run(directory, commands, directory))
        message = self._prompts.accept(c.session, prompt)
        executed = CommandExecuted(
            name=c.body.command,
            sessionID=session.id,
            arguments=c.body.arguments,
            messageID=message,
        )
        Record(session, self._services).publish(executed)
        return {"messageID": message}

    def _dispose(self, c: Dispose) -> bool:
        """Publish the event after which clients load everything again; nothing else is done."""
        said: Properties = GlobalDisposed()
        project = None
        if c.directory is not None:
            said = InstanceDisposed(directory=c.directory)
            project = self._services.folders.project(c.directory).id
        event = event_of(said, self._services.ids.ascending("evt"))
        self._publisher.publish(event, c.directory, project)
        return True

    def _is_over(self, c: TurnWait) -> bool:
        return self._turns.wait(c.session, c.message, min(c.wait_ms, MAX_WAIT_MS) / 1000)

    def _abort(self, c: Abort) -> bool:
        self._database.call(sessions.get, c.session)
        self._turns.abort([c.session], ABORT_S)
        return True
