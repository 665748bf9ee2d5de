"""A processor that runs the turns itself."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import gevent

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
from processor.commands.prompts import Prompts
from processor.commands.sessions import SessionCommands
from processor.engines.demo import DemoEngine
from processor.engines.engine import Engine, Offer
from processor.mode import Work
from processor.native.asks import PendingAsks
from processor.native.bounds import Bounds
from processor.native.chores import Chores
from processor.native.generated import Generated
from processor.native.projects import project_of
from processor.native.record import Record, Services
from processor.native.retelling import retell
from processor.native.room import MemoryRoom
from processor.native.saving import Saving
from processor.native.statuses import LiveStatuses
from processor.native.turn import Turn, aborted
from processor.native.turns import Running, Turns
from processor.settings import ModelSettings
from processor.store import chunks, messages, recovery, sessions
from processor.store.database import Database, DatabaseUnusable
from processor.store.drafts import Drafts
from processor.store.failures import StoreFailed

DATABASE_NAME = "weir.db"
STOP_S = 1.2
CLOSE_S = 0.4


class Native:
    """Sessions in a folder, and the model that answers them.

    Args:
        state: the folder, locked by the caller.
        model: None for the demo.
        bounds: on memory and disk.
        home: the user's home, for clients.
        agent: an agent outside of weir, whose prompts wait for it; None for none.
        stack: closes the store.
    """

    def __init__(
        self,
        state: Path,
        model: ModelSettings | None,
        bounds: Bounds,
        home: str,
        agent: str | None,
        stack: ExitStack,
    ) -> None:
        self._agent = agent
        self._folders = KnownFolders(as_text(str(state)), home)
        self._bounds = bounds
        self._started_ms = now_ms()
        self._engine = _engine(model)
        if agent is not None:
            self._engine.offer = Offer("agent", "Agent", agent, "")
        file = state / DATABASE_NAME
        self._database = Database(file, bounds.state_quota)
        stack.callback(gevent.with_timeout, CLOSE_S, self._database.close, timeout_value=None)
        try:
            self._news = self._database.call(recovery.recover, aborted(), self._started_ms)
            self.source: str = self._database.call(sessions.source)
            self._ids = _ids_after(*self._database.call(sessions.made))
        except StoreFailed as error:
            raise DatabaseUnusable(file, error) from error

    def begin(self, publisher: Publisher, stack: ExitStack) -> Work:
        """Publish what the last processor may not have published, and prepare for prompts."""
        database, engine = self._database, self._engine
        ids = self._ids
        drafts = Drafts(lambda pending: database.call(chunks.append, pending))
        services = Services(database, drafts, publisher, ids, LiveStatuses())
        retell(self._news, services)
        room = MemoryRoom(self._bounds.turn_memory)

        def load(session: str, prompt: str) -> tuple[Session, UserMessage]:
            return database.call(messages.prompt, session, prompt)

        def turn_of(session: Session, prompt: UserMessage) -> Turn:
            path = MessagePath(session.directory, project_of(session.directory).worktree)
            return Turn(Record(session, services), prompt, path, room)

        def start(session: Session, prompt: UserMessage) -> Running:
            if agents.serves(prompt):
                return agents.serve(session, prompt)
            return Generated(turn_of(session, prompt), prompt, engine, database, room)

        turns = Turns(load, start, self._bounds)
        stack.callback(turns.abort_all, STOP_S)
        asks = PendingAsks()
        agents = Agents(services, asks, self._agent, turns, turn_of)
        prompts = Prompts(services, turns, engine.offer, agents)
        agents.accept = prompts.accept
        agents.resume(self._news.turns, self._bounds.agent_return_s)
        saving = Saving(drafts)

        def each_beat() -> None:
            saving.begin()
            agents.tick()

        dispatch = Dispatch(
            publisher,
            services,
            turns,
            SessionCommands(services, turns, installed_version(), engine.offer, agents),
            prompts,
            Descriptions(
                database,
                engine.offer,
                agents,
                self._folders,
                self._started_ms,
                services.statuses,
            ),
            agents,
            asks,
        )
        return Work(dispatch, each_beat, [Chores(database).run])


def _engine(model: ModelSettings | None) -> Engine:
    if model is None:
        return DemoEngine()
    from processor.engines.openai import OpenAIEngine  # its HTTP client takes 45 ms to import

    return OpenAIEngine(model)


def _ids_after(own: list[str], others: list[str]) -> Ids:
    """Return a generator of ids that sort after all stored ids."""
    ids = Ids()
    for made in own:
        ids.follow(made, most_ms=None)
    for made in others:
        ids.follow(made)
    return ids
