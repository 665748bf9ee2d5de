"""Puts together the parts of a processor that runs in front of an opencode."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import urllib3

from bus.ids import Ids
from bus.transport.publisher import Publisher
from processor.fair_reads import fair
from processor.mode import Work
from processor.upstream.api import UpstreamApi
from processor.upstream.commands import RelayDispatch
from processor.upstream.condition import Condition
from processor.upstream.frames import UpstreamFrame
from processor.upstream.healing import Healing
from processor.upstream.intake import FrameIntake
from processor.upstream.notes import Notes
from processor.upstream.reader import UpstreamReader
from processor.upstream.settings import UpstreamSettings

# One for the event stream, and one for REST requests, which are sent one after another.
_CONNECTIONS = 2
NOTE_EVERY_S = 1.0


class Upstream:
    """The events of an opencode, which keeps the sessions and runs the turns.

    Args:
        settings: the server.
        state: a folder for notes to the next processor, None: no notes.
    """

    def __init__(self, settings: UpstreamSettings, state: Path | None) -> None:
        self._settings = settings
        self._state = state
        # Named after the server's URL: after a restart it is the same source, in a new epoch.
        self.source = f"up-{hashlib.sha256(settings.url.encode()).hexdigest()[:16]}"

    def begin(self, publisher: Publisher, stack: ExitStack) -> Work:
        """Prepare to read; return the work that reads."""

        def publish(frame: UpstreamFrame) -> None:
            place = frame.place
            publisher.publish(frame.event, place.directory, place.project, place.workspace)

        settings = self._settings
        context = ssl.create_default_context()
        pool = fair(urllib3.PoolManager(maxsize=_CONNECTIONS, ssl_context=context))
        stack.callback(pool.clear)
        condition = Condition(settings.url, silence_s=settings.silence_s)
        intake = FrameIntake(publish)
        rest = UpstreamApi(settings, pool)
        healing = Healing(rest, intake, Ids())
        reader = UpstreamReader(settings, pool, intake, healing, rest, condition)
        dispatch = RelayDispatch(publisher, condition, rest, settings.url)
        return Work(dispatch, self._noting(healing, reader), [reader.run])

    def _noting(self, healing: Healing, reader: UpstreamReader) -> Callable[[], None]:
        """Take over the last processor's notes, and return a function that writes new ones."""
        if self._state is None:
            return lambda: None
        notes = Notes(self._state / f"{self.source}.json")
        noted = notes.read()
        if noted is not None:
            healing.begin(noted)
        due = 0.0

        def each_beat() -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due and reader.whole_ms is not None:
                due = now + NOTE_EVERY_S
                healing.note(notes, now, reader.whole_ms)

        return each_beat
