"""The publishing end of the bus over Redis: a loop that writes, signs, and connects again."""

from __future__ import annotations

import logging
import time

import gevent
from gevent.event import Event

from bus.backoff import Backoff
from bus.redis.address import RedisAddress, RedisLogin
from bus.redis.appender import Appender
from bus.redis.client import RedisClient, RedisFailed, connect, words
from bus.redis.lease import SourceTaken
from bus.transport.publisher import Publisher

log = logging.getLogger("weir.bus")

_BEAT_S = 1.0
_ALIVE_S = 3 * _BEAT_S
_LEAST_PAUSE_S, _MOST_PAUSE_S = 0.1, 2.0


class StreamWriter:
    """Writes the events of one publisher for as long as the processor runs.

    Args:
        address: of Redis.
        login: at Redis.
    """

    def __init__(self, address: RedisAddress, login: RedisLogin) -> None:
        self._address = address
        self._login = login
        self._appender: Appender | None = None
        self._failure = "no connection yet"
        self._news = Event()
        self._beat_at = time.monotonic()

    def send(self, _data: bytes) -> None:
        """Note that there are events in the journal; the writer reads them there."""
        self._news.set()

    def tend(self) -> None:
        """Note a sign of life of the processor's work loop."""
        self._beat_at = time.monotonic()

    def run(self, publisher: Publisher) -> None:
        """Write for ever, in a greenlet of its own.

        Raises:
            SourceTaken: another processor has taken this source over.
        """
        appender = self._appender = Appender(publisher)
        backoff = Backoff(_LEAST_PAUSE_S, _MOST_PAUSE_S)
        while True:
            client = connect(self._address, self._login)
            try:
                while not appender.begin(client):
                    self._report("another processor holds the lease of this source")
                    gevent.sleep(_BEAT_S)
                self._report("")
                backoff.reset()
                self._write(client, appender)
                self._report("another processor is taking this source over")
            except RedisFailed as error:
                self._report(words(error))
            finally:
                client.close()
            gevent.sleep(backoff.next_s())

    def finish(self, within_s: float) -> None:
        """Write the rest of the journal, and give the lease back."""
        appender = self._appender
        if appender is None or self._failure:
            return
        with gevent.Timeout(within_s, False):  # type: ignore[arg-type]
            client = connect(self._address, self._login)
            try:
                if appender.begin(client):
                    appender.write(client)
                    appender.end(client)
            except (*RedisFailed, SourceTaken) as error:
                log.warning("the last events were not written: %s", words(error))
            finally:
                client.close()

    def _write(self, client: RedisClient, appender: Appender) -> None:
        """Write until the lease is lost."""
        signed_at = time.monotonic()
        while True:
            self._news.wait(_BEAT_S)
            self._news.clear()
            appender.write(client)
            now = time.monotonic()
            if now - signed_at >= _BEAT_S and now - self._beat_at < _ALIVE_S:
                signed_at = now
                if not appender.sign(client):
                    return
            appender.keep(client)

    def _report(self, failure: str) -> None:
        if failure and failure != self._failure:
            log.error("events are not written to Redis at %s: %s", self._address.url, failure)
        elif self._failure and not failure:
            log.info("events are written to Redis at %s", self._address.url)
        self._failure = failure
