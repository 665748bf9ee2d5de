"""A whole processor: put together, run, and taken apart again."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import gevent
import zmq.green as zmq
from gevent.event import Event

from bus.endpoints import Endpoints
from bus.events.message import MessagePath, UserMessage
from bus.events.session import Session
from bus.ids import Ids
from bus.publisher import Publisher
from bus.responder import Responder
from bus.sockets import publisher_socket, responder_socket
from processor.announcer import Announcer
from processor.answer import Answer
from processor.clock import now_ms
from processor.commands.describe import Descriptions
from processor.commands.dispatch import Dispatch
from processor.commands.prompts import Prompts
from processor.commands.sessions import SessionCommands
from processor.engines.demo import DemoEngine
from processor.engines.engine import Engine
from processor.engines.openai import OpenAIEngine
from processor.healing import heal
from processor.projects import project_of
from processor.pulse import Pulse
from processor.record import Record, Services
from processor.refusal import CannotStart
from processor.settings import Settings
from processor.statuses import Statuses
from processor.store import chunks, recovery, sessions
from processor.store.database import Database
from processor.store.drafts import Drafts
from processor.store.folder import claimed
from processor.turn import Turn, aborted
from processor.turns import Turns

log = logging.getLogger("weir.processor")

DATABASE_NAME = "weir.db"
STOP_S = 1.2
CLOSE_S = 0.4
LINGER_MS = 200


class BusUnusable(CannotStart):
    """The bus address cannot be bound."""


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then close what runs, and return.

    Raises:
        CannotStart: the state or the bus cannot be used; the message says why.
    """
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, stop.set)
    with contextlib.ExitStack() as stack:
        stack.enter_context(claimed(settings.state, "--state"))
        _claim_bus(settings.bus, stack)
        database = Database(settings.state / DATABASE_NAME)
        stack.callback(gevent.with_timeout, CLOSE_S, database.close, timeout_value=None)
        _serve(settings, database, stop, stack)
    log.info("processor stopped")


def _serve(
    settings: Settings, database: Database, stop: Event, stack: contextlib.ExitStack
) -> None:
    now = now_ms()
    recovered = database.call(recovery.close_unfinished, aborted(), now)
    events, commands = stack.enter_context(_sockets(settings.bus))
    loop = gevent.get_hub().loop
    publisher = Publisher(events, database.call(sessions.source), defer=loop.run_callback)
    stack.callback(publisher.flush)
    ids = Ids()
    drafts = Drafts(lambda pending: database.call(chunks.append, pending))
    services = Services(database, drafts, Announcer(publisher, ids), Statuses())
    heal(recovered, services)
    engine: Engine = OpenAIEngine(settings.model) if settings.model else DemoEngine()

    def start(session: Session, prompt: UserMessage) -> Answer:
        path = MessagePath(session.directory, project_of(session.directory).worktree)
        turn = Turn(Record(session, services), ids, prompt, path)
        return Answer(turn, prompt, engine, database)

    turns = Turns(start)
    stack.callback(turns.abort_all, STOP_S)
    dispatch = Dispatch(
        publisher,
        services,
        turns,
        SessionCommands(services, turns, ids, importlib.metadata.version("weir")),
        Prompts(services, turns, ids, engine.offer),
        Descriptions(database, engine.offer, settings.state, now),
    )
    greenlets: list[gevent.Greenlet[..., None]] = [
        gevent.spawn(Pulse(drafts, publisher).run),
        gevent.spawn(Responder(commands, dispatch).run),
    ]
    stack.callback(gevent.killall, greenlets)
    log.info("processor ready source=%s epoch=%s", publisher.source, publisher.epoch)
    for greenlet in greenlets:
        greenlet.link_exception(lambda _: stop.set())
    stop.wait()
    for greenlet in greenlets:
        if greenlet.exception is not None:
            raise greenlet.exception


def _claim_bus(bus: Endpoints, stack: contextlib.ExitStack) -> None:
    """Hold the folder of an ipc bus: binding alone would take it from another processor."""
    if bus.events.startswith("ipc://"):
        folder = Path(bus.events.removeprefix("ipc://")).parent
        stack.enter_context(claimed(folder, "--bus"))


@contextlib.contextmanager
def _sockets(bus: Endpoints) -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    context = zmq.Context()
    address = bus.events
    try:
        events = publisher_socket(context, address)
        address = bus.commands
        commands = responder_socket(context, address)
    except zmq.ZMQError as error:
        context.destroy(linger=0)
        raise BusUnusable(f"--bus: {address!r} cannot be bound: {error.strerror}") from error
    try:
        yield events, commands
    finally:
        # The last words of turns that were stopped are on their way.
        events.close(LINGER_MS)
        commands.close(0)
        context.term()
