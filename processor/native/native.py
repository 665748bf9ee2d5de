"""Builds the objects of a processor that is the server itself, not in front of an opencode."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

import gevent

from bus.agent_lines import BUILT_IN
from bus.events.message import MessagePath, UserMessage
from bus.events.session import Session
from bus.ids import Ids
from bus.process.start_folder import as_text
from bus.process.version import installed_version
from bus.transport.publisher import Publisher
from processor.agents.agents import Agents
from processor.clock import now_ms
from processor.commands.describe import Descriptions, KnownFolders
from processor.commands.dispatch import Dispatch
from processor.commands.files import FileCommands
from processor.commands.mcp import McpCommands
from processor.commands.prompts import Prompts
from processor.commands.sessions import SessionCommands
from processor.engines.demo import DemoEngine
from processor.engines.engine import Engine, Offer
from processor.mode import Work
from processor.native.asks import PendingAsks
from processor.native.children import Children
from processor.native.chores import Chores
from processor.native.compaction import Compactions
from processor.native.generated import Generated
from processor.native.modes import Modes
from processor.native.permits import Permits
from processor.native.record import Record, Services, end_work
from processor.native.retelling import retell
from processor.native.room import MemoryRoom
from processor.native.saving import Saving
from processor.native.shell import ShellCommands
from processor.native.statuses import LiveStatuses
from processor.native.tool_run import Toolbox
from processor.native.turn import Turn, aborted
from processor.native.turns import Running, Turns
from processor.settings import ModelSettings, ProcessorSettings
from processor.store import chunks, messages, recovery, sessions
from processor.store.database import Database, DatabaseUnusable
from processor.store.drafts import Drafts
from processor.store.failures import StoreFailed
from processor.tools.builtin import bounded_tools, builtin_tools
from processor.tools.command import Programs
from processor.tools.mcp.servers import McpServers
from processor.tools.process import ToolProcesses
from processor.tools.searching import Searches
from processor.tools.spool import Spool
from processor.tools.threads import Threads
from processor.tools.tool import Tool

DATABASE_NAME = "weir.db"
STOP_S = 1.2
CLOSE_S = 0.4


class Native:
    """A processor that stores sessions in a folder, and lets a model or an agent answer prompts.

    Args:
        settings: the settings of the processor. The caller must have locked the state folder.
        stack: closes the database when the processor ends.

    Raises:
        DatabaseUnusable: the database in the state folder cannot be opened or read.
    """

    def __init__(self, settings: ProcessorSettings, stack: ExitStack) -> None:
        assert settings.state is not None
        self._settings, self._state = settings, settings.state
        self._bounds = settings.bounds
        self._started_ms = now_ms()
        self._engine = _engine(settings.model)
        if settings.agent is not None:
            self._engine.offer = Offer("agent", "Agent", settings.agent, "")
        file = settings.state / DATABASE_NAME
        self._database = Database(file, self._bounds.state_quota)
        stack.callback(gevent.with_timeout, CLOSE_S, self._database.close, timeout_value=None)
        try:
            self._news = self._database.call(recovery.recover, aborted(), self._started_ms)
            self.source: str = self._database.call(sessions.source)
            self._ids = _ids_after(*self._database.call(sessions.made))
        except StoreFailed as error:
            raise DatabaseUnusable(file, error) from error

    def begin(self, publisher: Publisher, stack: ExitStack) -> Work:
        """Publish again the changes that the last processor may not have sent; accept prompts.

        Args:
            publisher: sends the events.
            stack: stops the turns and the MCP servers when the processor ends.
        """
        database, engine = self._database, self._engine
        ids = self._ids
        drafts = Drafts(lambda pending: database.call(chunks.append, pending))
        threads = Threads()
        spool = Spool(self._state, self._settings.tools.spool_quota, threads)
        services = Services(database, drafts, publisher, ids, LiveStatuses(), spool)
        retell(self._news, services)
        room = MemoryRoom(self._bounds.turn_memory)

        def load(session: str, prompt: str) -> tuple[Session, UserMessage]:
            found, message = database.call(messages.prompt, session, prompt)
            path(found)  # now the start of the turn need not wait for the folder
            return found, message

        def path(session: Session) -> MessagePath:
            where = session.directory
            return MessagePath(where, services.folders.worktree(where))

        def turn_of(session: Session, prompt: UserMessage) -> Turn:
            return Turn(Record(session, services), prompt, path(session), room)

        def summary_of(session: Session, prompt: UserMessage, within: bool) -> Turn:
            record = Record(session, services)
            return Turn(record, prompt, path(session), room, summary=True, within=within)

        def start(session: Session, prompt: UserMessage) -> Running:
            if compactions.takes(prompt):
                return compactions.start(session, prompt)
            if shell.serves(prompt):
                return shell.start(session, prompt, path(session))
            if agents.serves(prompt):
                return agents.serve(session, prompt)
            turn = turn_of(session, prompt)
            return Generated(turn, prompt, engine, database, room, box, compactions.sum_up)

        turns = Turns(load, start, self._bounds)
        stack.callback(turns.abort_all, STOP_S)
        turns.over = partial(end_work, services)
        services.statuses.waits = turns.waits
        compactions = Compactions(services, turns, engine, room, summary_of)
        asks = PendingAsks()
        modes = list(self._modes)
        agents = Agents(services, asks, self._settings.agent, turns, turn_of, modes)
        prompts = Prompts(services, turns, engine.offer, agents)
        agents.accept = prompts.accept
        agents.resume(self._news.turns, self._bounds.agent_return_s)
        session_commands = SessionCommands(
            services, turns, installed_version(), engine.offer, agents
        )
        children = Children(services, turns, session_commands, prompts, self._modes)
        processes = ToolProcesses(self._settings.tools.environment)
        programs = Programs(processes, self._settings.tools.processes)
        servers = self._mcp_servers(processes, stack)
        tools = builtin_tools(self._settings.tools.environment, programs, spool, threads)
        box = None if servers is None else self._box(tools, asks, children, services, servers)
        if box is not None and servers is not None:
            prompts.is_tool = lambda name: name in box.tools or servers.has_tool(name)
        shell = ShellCommands(services, prompts, None if box is None else box.tools["bash"])
        turns.dropped = shell.drop
        saving = Saving(drafts)

        def each_beat() -> None:
            saving.begin()
            agents.tick()

        folders = KnownFolders(as_text(str(self._settings.state)), self._settings.home)
        descriptions = Descriptions(
            database,
            engine.offer,
            agents,
            self._modes,
            folders,
            self._started_ms,
            services.statuses,
            services.folders,
        )
        descriptions.tools = [] if box is None else list(box.tools.values())
        dispatch = Dispatch(
            publisher,
            services,
            turns,
            session_commands,
            prompts,
            descriptions,
            agents,
            asks,
            compactions,
            FileCommands(
                Searches(Programs(processes, self._settings.tools.processes)), services.folders
            ),
            shell,
            McpCommands(servers),
        )
        return Work(dispatch, each_beat, [Chores(database).run])

    @property
    def _modes(self) -> Modes:
        """The built-in agents by name; only the default one if an external agent is configured."""
        modes = self._settings.allowance.modes
        return modes if self._settings.agent is None else {BUILT_IN: modes[BUILT_IN]}

    def _mcp_servers(self, processes: ToolProcesses, stack: ExitStack) -> McpServers | None:
        """Return the MCP servers of the settings, or None if weir offers no tools to a model."""
        if not self._settings.allowance.offered or self._settings.agent is not None:
            return None
        servers = McpServers(self._settings.tools.mcp, processes)
        stack.callback(servers.close)
        return servers

    def _box(
        self,
        tools: Mapping[str, Tool],
        asks: PendingAsks,
        children: Children,
        services: Services,
        servers: McpServers,
    ) -> Toolbox:
        return Toolbox(
            tools,
            lambda directory: bounded_tools(servers.tools(directory), services.outputs),
            Permits(asks, self._bounds.ask_s, services.folders),
            self._modes,
            children,
            self._bounds.steps,
            self._bounds.tool_s,
        )


def _engine(model: ModelSettings | None) -> Engine:
    if model is None:
        return DemoEngine()
    from processor.engines.openai import OpenAIEngine  # imports an HTTP client, which takes 45 ms

    return OpenAIEngine(model)


def _ids_after(own: list[str], others: list[str]) -> Ids:
    """Return a generator of new ids that sort after stored ids: weir's (`own`) and clients'."""
    ids = Ids()
    for made in own:
        ids.follow(made, most_ms=None)
    for made in others:
        ids.follow(made)
    return ids
