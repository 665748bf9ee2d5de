"""The reader of the upstream: one connection at a time, always drained."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

import gevent
import urllib3

from bus.backoff import Backoff
from bus.process.fairness import TURN_SLICE_S, TimeSlice
from bus.sse import EventStreamParser, EventTooLarge
from processor.clock import now_ms
from processor.upstream.api import NotJson, NotThere, RestFailed, UpstreamApi
from processor.upstream.condition import Condition
from processor.upstream.deadline import Deadline
from processor.upstream.healing import Healing
from processor.upstream.intake import FrameIntake
from processor.upstream.settings import UpstreamSettings
from processor.upstream.stream import UpstreamLost, UpstreamStream, opened

log = logging.getLogger("weir.upstream")

# The longest that live events wait for an attempt to heal.
HOLD_S = 10.0
# The same, before an answer is done without: it may be long, and on its way.
_LAST_HOLD_S = 60.0
# Between attempts to heal at most, but for the jitter: readers lack something all the while.
_HEAL_AGAIN_S = 4.0
_SECOND_MS = 1000
# `Date` is in whole seconds, and what an event tells was done a little before the event was made;
# where ids do not tell when that was, the stream may have lagged by so much, and no more.
_MARGIN_MS = 10_000


class UpstreamReader:
    """Reads until it is killed.

    Args:
        settings: what to read.
        pool: makes the connection.
        intake: takes what comes.
        healing: fetches what did not.
        rest: gives the version and the folder.
        condition: records the state of the connection.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        pool: urllib3.PoolManager,
        intake: FrameIntake,
        healing: Healing,
        rest: UpstreamApi,
        condition: Condition,
    ) -> None:
        self._settings = settings
        self._pool = pool
        self._intake = intake
        self._healing = healing
        self._rest = rest
        self._condition = condition
        self._backoff = Backoff()
        self._skew_ms = 0

    def run(self) -> None:
        """Connect, read until the connection is lost, wait, and so on; a greenlet of its own."""
        while True:
            self._condition.attempts += 1
            try:
                with opened(self._settings, self._pool) as stream, self._attended(stream):
                    self._drain(stream)
            except UpstreamLost as lost:
                why = str(lost)
            self._condition.lost(why)
            wait_s = self._backoff.next_s()
            log.warning("upstream %s %s; next try in %.1f s", self._settings.url, why, wait_s)
            gevent.sleep(wait_s)

    def _drain(self, stream: UpstreamStream) -> None:
        """Take all events of one piece at once; let others run when enough was read.

        What is read without waiting is published in batches, since those leave when others run.
        """
        parser = EventStreamParser()
        silence_s = self._settings.silence_s
        turn = TimeSlice(TURN_SLICE_S)
        # Not the socket's own timeout alone: bytes that trickle in are no sign of life.
        with Deadline(silence_s, UpstreamLost(f"is silent for {silence_s:g} s")) as silence:
            for piece in stream.pieces():
                heard = False
                for data in _events(parser, piece):
                    self._intake.take(data)
                    heard = True
                if heard:
                    silence.put_off()
                    self._condition.frame()
                    self._condition.withheld = self._intake.withheld
                    self._backoff.reset()
                turn.pass_on_if_over()

    @contextlib.contextmanager
    def _attended(self, stream: UpstreamStream) -> Iterator[None]:
        """Heal for as long as a connection stands, and note its end."""
        log.info("upstream %s is connected", self._settings.url)
        self._condition.connected()
        self._intake.connected(self._began_ms(stream))
        healer = gevent.spawn(self._heal)
        try:
            yield
        finally:
            self._intake.release()
            self._healing.cut(time.monotonic(), self._whole_ms())
            healer.kill()

    @property
    def whole_ms(self) -> int | None:
        """By the server's clock, when the stream was certainly whole; None if it never was."""
        return self._whole_ms() if self._condition.ever_connected else None

    def _whole_ms(self) -> int:
        came_ms = now_ms() - int(self._condition.frame_age_s * 1000) + self._skew_ms
        return self._intake.last_made_ms(came_ms) - _MARGIN_MS

    def _began_ms(self, stream: UpstreamStream) -> int | None:
        if stream.date_ms is None:
            return None
        self._skew_ms = stream.date_ms + _SECOND_MS // 2 - now_ms()
        return stream.date_ms + _SECOND_MS

    def _heal(self) -> None:
        """Heal until there is nothing left to heal."""
        self._condition.healing = True
        backoff = Backoff(most_s=_HEAL_AGAIN_S)
        while True:
            hold_s = _LAST_HOLD_S if self._healing.impatient else HOLD_S
            try:
                with gevent.Timeout(hold_s, RestFailed(f"not finished after {hold_s:g} s")):
                    self._tell_version()
                    folder_is_told = self._tell_folder()
                    self._healing.attempt()
                self._condition.healing, self._condition.unhealed = False, None
                break
            except RestFailed as failed:
                why = str(failed)
            except Exception as error:
                log.exception("healing failed")
                why = f"the processor failed ({type(error).__name__}); its log says why"
            self._intake.release()
            self._condition.unhealed = why
            wait_s = backoff.next_s()
            log.warning("healing failed: %s; next try in %.1f s", why, wait_s)
            gevent.sleep(wait_s)
        while not folder_is_told:
            gevent.sleep(backoff.next_s())
            folder_is_told = self._tell_folder()

    def _tell_version(self) -> None:
        """Ask for the version; by its answer the server has joined the stream to its events."""
        with contextlib.suppress(NotThere, NotJson):
            self._condition.version = self._rest.version()

    def _tell_folder(self) -> bool:
        """Ask for the server's own folder, which a restart may have changed; False: ask again."""
        try:
            self._condition.directory = self._rest.folder()
        except NotThere:
            self._condition.directory = ""
        except RestFailed as failed:
            log.warning("the folder of upstream %s is not known: %s", self._settings.url, failed)
            return False
        return True


def _events(parser: EventStreamParser, piece: bytes) -> Iterator[bytes]:
    try:
        for event in parser.feed(piece):
            yield event.data
    except EventTooLarge as error:
        raise UpstreamLost(f"sends too much at once ({error})") from error
