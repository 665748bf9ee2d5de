"""Whatever happens between processors, workers and readers, all readers end up whole.

Hypothesis chooses what happens: what is published and when it leaves, which frames arrive or
are dropped, who reads how far, where in a frame a connection is cut, and on which worker it goes
on; workers that join late or are replaced, and a processor that dies. Logs and journals are small,
so that replay, snapshot and ledger all have their turn.
"""

import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import bus.log
import bus.transport.gap_repair
import gateway.streams.stream
from bus.ledger.slot import ended
from bus.sse import EventStreamParser, ServerSentEvent
from gateway.relay import Endpoint, View
from tests.envelopes import instance, raw
from tests.faults.model import ProcessorModel, WorkerModel
from tests.faults.witness import Listener
from tests.histories import histories
from tests.reference import State, fold

OCCURRENCES = ("errors", "idles", "others")
DEEP = {"messages", "parts"}
"""Tables of tables."""
VIEWS = (
    instance(),
    View(Endpoint.GLOBAL),
    instance(keep_superseded=True),
    instance(sessions=frozenset({"ses_1"})),
)
ENDS = ("message.removed", "message.part.removed", "session.deleted")
LATE = "nobody:0"
"""An id that nobody has heard of: who says it is told of all that there is."""

workers = st.integers(0, 1)
readers = st.integers(0, len(VIEWS) + 1)
few = st.integers(1, 6)
counts = st.sampled_from((3, 8, 20, 40))
percents = st.integers(0, 99)


class Reader:
    """One reader and its connection.

    Attributes:
        worker: who serves it; None between connections.
        served: by whom it was ever served.
        interrupted: it was cut among the upserts of a catch-up that carry no id.
    """

    def __init__(self, view: View, room: int, pace_s: float, last_id: str = "") -> None:
        self.view = view
        self._room = room
        self._pace_s = pace_s
        self.listener = Listener()
        self.interrupted = False
        self._in_catch_up = False
        self._first_id = last_id
        self.worker: WorkerModel | None = None
        self.served: set[WorkerModel] = set()
        self._stream: Iterator[bytes] = iter(())
        self._parser = EventStreamParser()

    def connect(self, worker: WorkerModel) -> None:
        """Go on, or begin, at a worker."""
        last_id = self.listener.last_event_id or self._first_id
        self.worker = worker
        self._stream = worker.stream(self.view, last_id, self._room, self._pace_s)
        self.served.add(worker)
        self._parser = EventStreamParser()
        self._parser.last_event_id = self.listener.last_event_id
        self.interrupted |= self._in_catch_up
        self.listener.connect()

    def read(self, pieces: int) -> bool:
        """Take at most so many pieces; tell whether there is nothing more to read by now."""
        for _ in range(pieces):
            piece = self._next()
            if piece is None or self._take(piece) == ["server.heartbeat"]:
                return True
        return False

    def cut(self, percent: int) -> None:
        """Lose the connection in the midst of the next piece that says more than hello."""
        piece = self._next()
        if piece is not None and b"server.connected" in piece:
            self._take(piece)
            piece = self._next()
        if piece is not None:
            self._take(piece[: len(piece) * percent // 100])
        self.leave()

    def leave(self) -> None:
        """Lose the connection."""
        self.worker = None

    @property
    def is_exact(self) -> bool:
        """Whether it was there from the start, and every resume was exact."""
        return not self._first_id and self.listener.resumed == self.listener.connections - 1

    def _next(self) -> bytes | None:
        """Return the next piece; None without a connection, and where the server resets it."""
        if self.worker is None:
            return None
        try:
            return next(self._stream)
        except ConnectionResetError:
            self.leave()
            return None

    def _take(self, data: bytes) -> list[str]:
        return [self._told(event) for event in self._parser.feed(data)]

    def _told(self, event: ServerSentEvent) -> str:
        before = self.listener.last_event_id
        kind: str = self.listener.take(event)["type"]
        if not kind.startswith("server."):
            self._in_catch_up = event.id == before and "~" not in event.id
        return kind


class RelayMachine(RuleBasedStateMachine):
    """One or two processors, two workers, and a reader of each view; two more of the first view.

    The second of these has a socket that takes everything, and the third comes late.
    """

    @initialize(
        history=histories(),
        sources=st.integers(1, 2),
        segment=st.sampled_from((1024, 8, 3, 1)),
        log_events=st.sampled_from((1000, 20, 4)),
        journal_events=st.sampled_from((1000, 20, 4)),
        room=st.sampled_from((1 << 30, 2000, 300, 0)),
        pace_s=st.sampled_from((0.0, 1 / 30)),
    )
    def begin(self, history, sources, segment, log_events, journal_events, room, pace_s):
        bus.log.SEGMENT_EVENTS = segment
        bus.log.LONG_RUN_EVENTS = 4 * segment
        self.to_come = list(reversed(history))
        self.log_events = log_events
        self.processors = [ProcessorModel(f"p{n}", journal_events) for n in range(sources)]
        self.workers = [WorkerModel(self.processors, log_events) for _ in range(2)]
        self.ever = list(self.workers)
        self.readers = [Reader(view, room, pace_s) for view in VIEWS]
        self.readers += [
            Reader(VIEWS[0], 1 << 30, pace_s),
            Reader(VIEWS[0], room, pace_s, LATE),
        ]
        self.restarts = 0
        for number, reader in enumerate(self.readers[:-1]):
            reader.connect(self.workers[number % 2])
            reader.read(1)

    @rule(count=st.sampled_from((1, 1, 2, 5, 13, 40)), flush=st.booleans())
    def publish(self, count, flush):
        for _ in range(min(count, len(self.to_come))):
            event = self.to_come.pop()
            self._of(event).publish(event)
        if flush:
            for processor in self.processors:
                processor.flush()

    def _of(self, event):
        """Return whose event it is: a session belongs to one processor."""
        return self.processors["ses_1" in json.dumps(event) and len(self.processors) > 1]

    @rule(count=counts)
    def flow(self, count):
        """Have events reach all workers, as they mostly do."""
        self.publish(count, flush=True)
        for worker in self.workers:
            worker.hear(len(worker.frames))

    @rule(count=counts, late=readers)
    def flow_to_all(self, count, late):
        """Have events reach readers that stand at the head of the log, as they mostly do.

        One reader comes there when the lanes have more to flush.
        """
        for number, reader in enumerate(self.readers):
            reader.read(1000 if number != late else 0)
        self.publish(count, flush=True)
        for worker in self.workers:
            worker.hear(len(worker.frames), flush=False)
        self.readers[late].read(1000)
        self.flow(1)

    @rule()
    def heartbeat(self):
        for processor in self.processors:
            processor.publisher.heartbeat()

    @rule(worker=workers, count=few, meanwhile=st.integers(0, 3), flush=st.booleans())
    def deliver(self, worker, count, meanwhile, flush):
        for processor in self.processors:
            processor.meanwhile = lambda: self.publish(meanwhile, flush=meanwhile > 1)
        self.workers[worker].hear(count, flush)
        for processor in self.processors:
            processor.meanwhile = lambda: None

    @rule(worker=workers, count=few)
    def deliver_unanswered(self, worker, count):
        """Have frames arrive while no processor answers: nothing passes a gap."""
        for processor in self.processors:
            processor.mute = True
        self.workers[worker].hear(count)
        for processor in self.processors:
            processor.mute = False

    @rule(worker=workers, first=st.integers(0, 3), count=few)
    def drop(self, worker, first, count):
        """Lose frames from the middle of the queue, as a PUB socket at its mark does."""
        frames = self.workers[worker].frames
        kept = [frame for n, frame in enumerate(frames) if not first <= n < first + count]
        frames.clear()
        frames.extend(kept)

    @rule(worker=workers, to=st.sampled_from((0, 1, None)), late=st.sampled_from((None, 0, 1)))
    def replace_worker(self, worker, to, late):
        """Have a worker die; its readers go on at another at once, or later.

        A processor may not answer the new one before that hears it.
        """
        dead = self.workers[worker]
        for processor in self.processors:
            processor.workers.remove(dead)
        for number, processor in enumerate(self.processors):
            processor.mute = number == late
        self.workers[worker] = WorkerModel(self.processors, self.log_events)
        for processor in self.processors:
            processor.mute = False
        self.ever.append(self.workers[worker])
        for reader in self.readers:
            if reader.worker is dead:
                reader.leave()
                if to is not None:
                    reader.connect(self.workers[to])

    @precondition(lambda self: self.restarts < 2)
    @rule(which=st.integers(0, 1), arrive=st.integers(0, 20))
    def restart_processor(self, which, arrive):
        """What is in its sockets when it dies is lost; what it has said is saved."""
        for worker in self.workers:
            kept = list(worker.frames)[:arrive]
            worker.frames.clear()
            worker.frames.extend(kept)
        self.processors[which % len(self.processors)].restart()
        self.restarts += 1

    @precondition(lambda self: self.restarts < 2)
    @rule(reader=readers, worker=workers, missed=counts)
    def away_in_a_restart(self, reader, worker, missed):
        """Know what is, and miss that some of it goes, and much of the epoch that follows."""
        types = [event["type"] for event in reversed(self.to_come)]
        ends = next((n for n, kind in enumerate(types) if kind in ENDS), 0)
        away = self.readers[reader]
        away.connect(self.workers[worker])
        self.flow(ends)
        away.read(1000)
        away.leave()
        self.flow(1)
        for which in range(len(self.processors)):
            self.restart_processor(which, 0)
        self.flow(missed)
        away.connect(self.workers[worker])

    @rule(reader=readers, pieces=few)
    def read(self, reader, pieces):
        self.readers[reader].read(pieces)

    @rule(reader=readers, percent=percents)
    def cut(self, reader, percent):
        self.readers[reader].cut(percent)

    @rule(count=counts, reader=readers, percent=percents, worker=workers)
    def cut_in_flow(self, count, reader, percent, worker):
        """Lose the connection in the midst of news, and go on at once."""
        self.flow(count)
        self.readers[reader].cut(percent)
        self.readers[reader].connect(self.workers[worker])

    @rule(reader=readers, worker=workers)
    def connect(self, reader, worker):
        self.readers[reader].connect(self.workers[worker])

    def teardown(self):
        if not hasattr(self, "readers"):
            return
        while self.to_come:
            self.publish(1000, flush=True)
        self.heartbeat()
        for worker in self.workers:
            worker.hear(len(worker.frames))
        for number, reader in enumerate(self.readers):
            self._drain(reader, number)
            self._check(reader)

    def _drain(self, reader, number):
        """Have it read all there is, through resets."""
        for attempt in range(5):
            if reader.worker is None:
                reader.connect(self.workers[(number + attempt) % 2])
            while not reader.read(1000):
                pass
            if reader.worker is not None:
                return
        raise AssertionError("a reader is reset again and again")

    def _check(self, reader):
        everything = chain.from_iterable(one.published for one in self.processors)
        published = list(filter(reader.view.admits, everything))
        truth = fold(raw(published))
        held = reader.listener.state
        assert not doubled(held, truth)
        if self.restarts or reader.interrupted:
            assert still_there(entities(held), entities(truth)) == entities(truth)
            if not reader.interrupted:
                # That something is gone may have been in a socket of the processor that died.
                known = fold(raw(one for one in published if not lost_removal(one, reader)))
                assert names(entities(held)) <= names(entities(known))
            # Who comes without an id is cut among what it is told first without one: it is not
            # known to know it, and is not told when it has gone meanwhile.
            return
        assert entities(held) == entities(truth)
        if reader.is_exact and not self._catch_ups():
            assert unordered(held) == unordered(truth)

    def _catch_ups(self):
        """How often anybody was told what is, in place of what happened."""
        counts = [worker.readers.catch_ups for worker in self.ever]
        return sum(sum(one.values()) - one["exact"] for one in counts)


def lost_removal(envelope, reader):
    """Tell whether an event ends something, and somebody who served a reader cannot know it."""
    knows = all(worker.knows(envelope) for worker in reader.served)
    return ended(envelope.event) is not None and not knows


def names(held):
    """What there is, without what it is like."""
    inner = {
        (name, key, id_) for name in DEEP for key, table in held[name].items() for id_ in table
    }
    return inner | {(name, key) for name in held.keys() - DEEP for key in held[name]}


def entities(state: State):
    """What a client holds, without what it was merely told once."""
    return {name: value for name, value in state.view().items() if name not in OCCURRENCES}


def unordered(state: State):
    """All that a client knows; occurrences of different sources come in any order."""
    return state.view() | {"others": sorted(map(repr, state.others))}


def still_there(held, truth):
    """What is held, less what is gone."""
    tables = {name: _common(held[name], truth[name]) for name in truth}
    for name in DEEP:
        tables[name] = {key: _common(held[name][key], truth[name][key]) for key in tables[name]}
    return tables


def _common(table, other):
    return {key: value for key, value in table.items() if key in other}


def doubled(held: State, truth: State):
    """What was told once, and came more than once."""
    return Counter(map(repr, held.others)) - Counter(map(repr, truth.others))


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch):
    monkeypatch.setattr(bus.log, "SEGMENT_EVENTS", bus.log.SEGMENT_EVENTS)
    monkeypatch.setattr(bus.log, "LONG_RUN_EVENTS", bus.log.LONG_RUN_EVENTS)
    monkeypatch.setattr(bus.transport.gap_repair, "TRY_AGAIN_S", 0.0)
    monkeypatch.setattr(gateway.streams.stream, "patience_s", lambda relay, last_id: 0.0)


RelayMachine.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, report_multiple_bugs=False
)
TestRelay = pytest.mark.timeout(900)(RelayMachine.TestCase)
