"""The inside of a processor without its process: a real store, and a bus that is a list."""

import json
from collections.abc import Iterable
from contextlib import nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Self

from bus.bodies import CreateBody, PromptBody, TextInput
from bus.events.message import MessagePath
from bus.ids import Ids
from bus.transport.codec import Batch, decode
from bus.transport.publisher import Publisher
from processor.agents.agents import Agents
from processor.clock import now_ms
from processor.commands.prompts import Prompts
from processor.commands.sessions import SessionCommands
from processor.engines.demo import DemoEngine
from processor.engines.engine import Engine
from processor.native.answer import Answer
from processor.native.asks import PendingAsks
from processor.native.bounds import Bounds
from processor.native.children import Children
from processor.native.compaction import Compactions
from processor.native.generated import Generated
from processor.native.modes import Modes, built_in
from processor.native.permits import Permits
from processor.native.record import Record, Services, end_work
from processor.native.retelling import retell
from processor.native.room import MemoryRoom
from processor.native.statuses import LiveStatuses
from processor.native.tool_run import Toolbox
from processor.native.turn import Turn, aborted
from processor.native.turns import Turns
from processor.store import chunks, messages, recovery, sessions
from processor.store.database import Database
from processor.store.drafts import Drafts
from processor.store.messages import WithParts
from processor.tools.spool import Spool
from processor.tools.threads import Threads
from processor.tools.tool import Tool

DIRECTORY = "/srv/demo/proj1"


class _List:
    """Takes the place of a PUB socket."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def send(self, data: bytes) -> None:
        frame = decode(data)
        if isinstance(frame, Batch):
            self.events += [json.loads(envelope.event.json()) for envelope in frame.envelopes]


class Rig:
    """Everything a turn needs, in this process."""

    def __init__(self, folder: Path, bounds: Bounds | None = None) -> None:
        bounds = bounds or Bounds()
        self._folder = folder
        bus = _List()
        self.events = bus.events
        self.ids = Ids()
        self.engine: Engine = DemoEngine()
        self.database = Database(folder / "weir.db", bounds.state_quota)
        self.drafts = Drafts(lambda pending: self.database.call(chunks.append, pending))
        self.publisher = Publisher(bus, "p1")
        self.services = Services(
            self.database,
            self.drafts,
            self.publisher,
            self.ids,
            LiveStatuses(),
            Spool(folder, 1 << 30, Threads()),
        )
        self.room = MemoryRoom(bounds.turn_memory)
        self.turns = Turns(partial(self.database.call, messages.prompt), self._start, bounds)
        self.turns.over = partial(end_work, self.services)
        self.services.statuses.waits = self.turns.waits
        self.asks = PendingAsks()
        self.compactions = self._compactions()
        self.agents = Agents(
            self.services, self.asks, None, self.turns, self.turn_for, list(built_in())
        )
        self.sessions = SessionCommands(
            self.services, self.turns, "0.0.0", DemoEngine.offer, self.agents
        )
        self.prompts = Prompts(self.services, self.turns, DemoEngine.offer, self.agents)
        self.agents.accept = self.prompts.accept
        self.box: Toolbox | None = None
        self.modes = built_in()

    def with_tools(self, *tools: Tool, modes: Modes | None = None, **bounds: Any) -> Self:
        """Offer tools to the model, and return the rig."""
        self.modes = modes or self.modes
        known = Bounds(**bounds)
        children = Children(self.services, self.turns, self.sessions, self.prompts, self.modes)
        self.box = Toolbox(
            {tool.name: tool for tool in tools},
            lambda directory: {},
            Permits(self.asks, known.ask_s, self.services.folders),
            self.modes,
            children,
            known.steps,
            known.tool_s,
        )
        return self

    def _start(self, session: Any, prompt: Any) -> Answer:
        self.compactions._engine = self.engine
        if self.agents.serves(prompt):
            return self.agents.serve(session, prompt)
        if self.compactions.takes(prompt):
            return self.compactions.start(session, prompt)
        return Generated(
            self.turn_for(session, prompt),
            prompt,
            self.engine,
            self.database,
            self.room,
            self.box,
            self.compactions.sum_up,
        )

    def killed(self, return_s: float = 60.0) -> Self:
        """Return the next processor, which goes on with what this one has saved."""
        self.database.close()
        later = type(self)(self._folder)
        for made in chain(*later.database.call(sessions.made)):
            later.ids.follow(made, most_ms=None)
        news = later.database.call(recovery.recover, aborted(), now_ms())
        retell(news, later.services)
        later.agents.resume(news.turns, return_s)
        return later

    def _compactions(self) -> Compactions:
        def summary_of(session: Any, prompt: Any, within: bool) -> Turn:
            record = Record(session, self.services)
            path = MessagePath(DIRECTORY, DIRECTORY)
            return Turn(record, prompt, path, self.room, summary=True, within=within)

        return Compactions(self.services, self.turns, self.engine, self.room, summary_of)

    def turn_for(self, session: Any, prompt: Any) -> Turn:
        record = Record(session, self.services)
        return Turn(record, prompt, MessagePath(DIRECTORY, DIRECTORY), self.room)

    def turn(self, text: str) -> Turn:
        """Return a turn that has not begun, for a prompt that has been shown."""
        session = self.sessions.create(DIRECTORY, CreateBody(title="fixed title"))
        prompt = self.prompt(session.id, text)
        return self.turn_for(session, prompt)

    def prompt(self, session: str, text: str) -> Any:
        """Save and show a prompt without queueing its turn; return its message."""
        queued: list[Any] = []
        self.prompts._turns = type(
            "Queue",
            (),
            {
                "queue": lambda _, s, m, *how: queued.append(m),
                "is_closed": lambda *_: False,
                "place": lambda *_: nullcontext(),
            },
        )()
        self.prompts.accept(session, PromptBody(parts=[TextInput(text=text)]))
        self.prompts._turns = self.turns
        return self.database.call(messages.prompt, session, queued[0])[1]

    def messages(self, session: str) -> list[WithParts]:
        """Return what is stored of a session, oldest first."""
        return self.stored(session, self.database.call(messages.newest, session, 1000))

    def stored(self, session: str, names: Iterable[str]) -> list[WithParts]:
        """Return the messages of these ids."""
        return [self.database.call(messages.get, session, name) for name in names]

    def close(self) -> None:
        self.database.close()
