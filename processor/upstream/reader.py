"""The reader of the upstream's stream: one connection at a time, always drained."""

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
from processor.upstream.deadline import SilenceDeadline
from processor.upstream.healing import Healing
from processor.upstream.intake import FrameIntake
from processor.upstream.settings import UpstreamSettings
from processor.upstream.stream import UpstreamLost, UpstreamStream, opened

log = logging.getLogger("weir.upstream")

# How long one attempt to fetch missed events may take: new events wait for the end of the attempt.
HOLD_S = 10.0
# How long the last such attempt may take: after it, weir continues without an answer that failed.
# The answer may be so long that it is still arriving.
_LAST_HOLD_S = 60.0
# The longest pause between such attempts, before jitter: readers lack events meanwhile.
_HEAL_AGAIN_S = 4.0
_SECOND_MS = 1000
# How far the stream may lag behind the server's clock. `Date` has whole seconds, and an event is
# made a little after the change that it reports.
_MARGIN_MS = 10_000


class UpstreamReader:
    """Reads the stream until its greenlet is killed.

    Args:
        settings: the server and its login.
        pool: makes the connection.
        intake: takes the events.
        healing: fetches the events that were missed while there was no connection.
        rest: returns the server's version and folder.
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
        """Connect, read until the connection is lost, wait, and repeat; needs its own greenlet."""
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
        """Take all events of a piece together, and let others run after each time slice.

        Events that are read without a pause leave in one batch, since batches leave when others
        run.
        """
        parser = EventStreamParser()
        silence_s = self._settings.silence_s
        turn = TimeSlice(TURN_SLICE_S)
        # The timeout of the socket is not enough: each byte would start it again, and a server can
        # send single bytes without ever completing an event.
        with SilenceDeadline(silence_s, UpstreamLost(f"is silent for {silence_s:g} s")) as silence:
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
        """Fetch missed events while the connection is open, and record its end."""
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
        """The last time when the stream was certainly complete (server's clock); None: never."""
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
        """Try to fetch the missed events until an attempt succeeds."""
        self._condition.healing = True
        backoff = Backoff(most_s=_HEAL_AGAIN_S)
        while True:
            hold_s = _LAST_HOLD_S if self._healing.impatient else HOLD_S
            try:
                with gevent.Timeout(hold_s, RestFailed(f"not finished after {hold_s:g} s")):
                    self._fetch_version()
                    folder_is_known = self._fetch_folder()
                    self._healing.attempt()
                self._condition.healing, self._condition.unhealed = False, None
                break
            except RestFailed as failed:
                why = str(failed)
            except Exception as error:
                log.exception("missed events cannot be fetched because of an error in weir")
                why = f"the processor failed ({type(error).__name__}); its log says why"
            self._intake.release()
            self._condition.unhealed = why
            wait_s = backoff.next_s()
            log.warning(
                "missed events of the upstream cannot be fetched: %s; next try in %.1f s",
                why,
                wait_s,
            )
            gevent.sleep(wait_s)
        while not folder_is_known:
            gevent.sleep(backoff.next_s())
            folder_is_known = self._fetch_folder()

    def _fetch_version(self) -> None:
        """Fetch the server's version, before anything else.

        If the server answers this request, the stream is certain to receive later events.
        """
        with contextlib.suppress(NotThere, NotJson):
            self._condition.version = self._rest.version()

    def _fetch_folder(self) -> bool:
        """Fetch the server's own folder, which a restart may have changed; False: try later."""
        try:
            self._condition.directory = self._rest.folder()
        except NotThere:
            self._condition.directory = ""
        except RestFailed as failed:
            log.warning(
                "upstream %s does not say in which folder it was started: %s",
                self._settings.url,
                failed,
            )
            return False
        return True


def _events(parser: EventStreamParser, piece: bytes) -> Iterator[bytes]:
    try:
        for event in parser.feed(piece):
            yield event.data
    except EventTooLarge as error:
        raise UpstreamLost(f"sends too much at once ({error})") from error
