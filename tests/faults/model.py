"""Processors and gateway workers without I/O: the real parts, joined by lists of frames.

Real are publisher, journal, ledgers, subscriber, replay, clone, relay, readers and streams. Only
the sockets are not, so that a test decides which frame arrives, and when.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bus.answers import Done
from bus.commands import Command, Replay
from bus.envelope import Envelope
from bus.events import from_json
from bus.log import Log
from bus.process.fairness import TimeSlice
from bus.transport import clone, replay
from bus.transport.gap_repair import Joined, NeedSnapshot
from bus.transport.publisher import Publisher
from bus.transport.requester import DeadlineExceeded
from bus.transport.subscriber import Subscriber
from gateway.ingest import Ingest
from gateway.relay import Relay, View
from gateway.streams.readers import Readers
from tests.envelopes import DIRECTORY, dump
from tests.fakes.outlet import FakeOutlet

Event = dict[str, Any]

_MOST_READERS = 100


class ProcessorModel:
    """Publishes to all workers; can die and be started anew.

    Args:
        source: its id.
        journal_events: how many it can replay.

    Attributes:
        workers: those that hear it.
        published: all it has ever said, over all of its epochs.
        meanwhile: called before each answer; whatever a busy processor does.
        mute: it answers nothing.
    """

    def __init__(self, source: str, journal_events: int) -> None:
        self.workers: list[WorkerModel] = []
        self._source = source
        self.published: list[Envelope] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.mute = False
        self._journal_events = journal_events
        self._begin()

    def publish(self, event: Event) -> None:
        """Say an event; it leaves with the next `flush`."""
        self.published.append(self.publisher.publish(from_json(dump(event)), DIRECTORY))

    def flush(self) -> None:
        """Send what was said."""
        self.publisher.flush()

    def restart(self) -> None:
        """Die, and begin another epoch by telling what is saved, before anybody hears it."""
        hearing, self.workers = self.workers, []
        self.flush()
        saved = [one.envelope() for one in self.publisher.ledger.changed(-1)]
        self._begin()
        for one in saved:
            self.published.append(self.publisher.publish(one.event, one.directory))
        self.flush()
        self.workers = hearing

    def insist(self, command: Command) -> Done:
        """Be the requester of a worker: answer its question.

        Raises:
            CommandFailed: it cannot.
            DeadlineExceeded: it is mute.
        """
        if self.mute:
            raise DeadlineExceeded("it is mute")
        self.meanwhile()
        if isinstance(command, Replay):
            return Done(0, replay.answer(self.publisher, command))
        return Done(0, clone.answer(self.publisher))

    def send(self, frame: bytes) -> None:
        """Be the PUB socket."""
        for worker in self.workers:
            worker.frames.append((self, frame))

    def _begin(self) -> None:
        self.publisher = Publisher(self, self._source, defer=lambda flush: None)  # type: ignore[arg-type]
        self.publisher.journal = Log(max_events=self._journal_events, start=1)


class WorkerModel:
    """Hears processors, and serves readers.

    Attributes:
        frames: on their way to it, each with who sent it.
        readers: of its streams, with the relay.
    """

    def __init__(self, processors: Sequence[ProcessorModel], log_events: int) -> None:
        self.frames: deque[tuple[ProcessorModel, bytes]] = deque()
        self.readers = Readers(Relay(Log(max_events=log_events)), _MOST_READERS)
        self._feeds = {processor: _Fed(processor, self.readers) for processor in processors}
        for processor, feed in self._feeds.items():
            processor.workers.append(self)
            feed.settle(NeedSnapshot())

    def knows(self, envelope: Envelope) -> bool:
        """Tell whether it can have heard of an event."""
        place = envelope.epoch, envelope.seq
        return any(place in feed.heard for feed in self._feeds.values())

    def hear(self, count: int, flush: bool = True) -> None:
        """Take the next frames, at most `count`, as `gateway.ingest.Ingest.run` does.

        Args:
            count: of frames.
            flush: flush the lanes as long as they have news; in a worker that may be later.
        """
        for _ in range(min(count, len(self.frames))):
            processor, frame = self.frames.popleft()
            envelopes = self._feeds[processor].take(frame)
            if envelopes:
                self.readers.relay.append(envelopes)
        lanes = self.readers.lanes
        while flush and (some := list(lanes.with_news(TimeSlice(), lanes.is_time_for_all()))):
            for lane in some:
                lane.flush(TimeSlice())

    def stream(self, view: View, last_id: str, room: int, pace_s: float) -> Iterator[bytes]:
        """Open a stream that says a heartbeat when there is nothing to say, and waits then.

        Args:
            view: what its reader gets.
            last_id: the last it has seen of an earlier stream, if any.
            room: how many bytes its socket takes that the reader has not read.
            pace_s: the least time between two flushes of further deltas; 0 for none.
        """
        reader = self.readers.open(view, last_id or None, pace_s=pace_s)
        return FakeOutlet(self.readers, reader, room).pieces()


class _Handed:
    """An inlet that is handed its frames."""

    frame = b""

    def receive(self) -> bytes:
        return self.frame


class _Fed(Ingest):
    """What a worker hears of a processor.

    Attributes:
        heard: epoch and seq of each event that it can have heard of, and not forgotten since.
    """

    def __init__(self, processor: ProcessorModel, readers: Readers) -> None:
        self.heard: set[tuple[str, int]] = set()
        self._ledgers = readers.relay.ledgers
        self._handed = _Handed()
        self._hearing = Subscriber(self._handed)  # type: ignore[arg-type]
        super().__init__("model", self._hearing, processor, readers)  # type: ignore[arg-type]

    def take(self, frame: bytes) -> list[Envelope]:
        """Receive a frame."""
        self._handed.frame = frame
        envelopes = self.settle(self._hearing.receive())
        self.heard.update((one.epoch, one.seq) for one in envelopes)
        return envelopes

    def join(self, source: str | None = None) -> Joined:
        """Begin anew: to what was heard comes what the snapshot tells.

        But if something was forgotten meanwhile, what is known to be gone is too: it may be back.
        """
        before = {name: (one.epoch, one.seq) for name, one in self._ledgers.items()}
        joined = super().join(source)
        name, epoch = joined.source, joined.epoch
        if self._ledgers[name].floor > dict([before.get(name, ("", 0))]).get(epoch, 0):
            self.heard.clear()
        self.heard |= {(epoch, seq) for seq in range(1, joined.seq + 1)}
        return joined
