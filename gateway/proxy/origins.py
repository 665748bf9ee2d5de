"""The origins of web pages that the upstream allows (CORS), so that weir allows the same pages.

weir learns them from the upstream's answers, or asks by a CORS preflight. Without this, a page
that the upstream allows by its own ``--cors`` could read the upstream's answers, but not weir's.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
import h11
from gevent.lock import BoundedSemaphore

from bus.origin import Origin
from gateway.proxy.connection import NothingHeard, UpstreamConnection
from gateway.proxy.dial import dial
from gateway.proxy.failures import Refusal

ASK_WITHIN_S = 1.0
AGAIN_AFTER_S = 30.0
MOST = 256
_RETRY_AFTER_S = 2.0
_AT_ONCE = 4
_MOST_LENGTH = 256
_PATH = "/global/health"
_ALLOW_ORIGIN = b"access-control-allow-origin"


class UpstreamOrigins:
    """Remembers which origins an upstream allows or refuses, at most `MOST` origins.

    Args:
        ask: asks the upstream whether it allows an origin; returns None if it does not answer.
        clock: returns the time in seconds, monotonic.
    """

    def __init__(
        self, ask: Callable[[str], bool | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._asking = BoundedSemaphore(_AT_ONCE)
        self._said: dict[str, tuple[bool, float]] = {}  # by origin: allowed, when to ask again

    @property
    def allowed(self) -> list[str]:
        """All origins that the upstream allows, as far as weir knows."""
        return [origin for origin, (allowed, _) in self._said.items() if allowed]

    def allows(self, origin: str) -> bool:
        """Return whether weir knows that the upstream allows an origin. Does not block."""
        return self._said.get(origin, (False, 0.0))[0]

    def note(self, origin: str, allowed: bool, for_s: float = AGAIN_AFTER_S) -> None:
        """Record whether the upstream allows an origin; valid for `for_s` seconds.

        If there are too many origins, a refused origin is forgotten before an allowed origin.
        """
        self._said.pop(origin, None)
        if len(self._said) >= MOST:
            refused = (name for name, (was, _) in self._said.items() if not was)
            del self._said[next(refused, next(iter(self._said)))]
        self._said[origin] = allowed, self._clock() + for_s

    def look_up(self, origin: str) -> None:
        """Ask the upstream whether it allows an origin, unless a recent answer is known.

        The caller waits only if the origin is unknown, and `ASK_WITHIN_S` at most. If the upstream
        does not answer, its last answer stays valid.
        """
        known = self._said.get(origin)
        if len(origin) > _MOST_LENGTH or (known is not None and self._clock() < known[1]):
            return
        self.note(origin, known is not None and known[0], _RETRY_AFTER_S)
        asking = gevent.spawn(self._learn, origin)
        if known is None:
            asking.join(ASK_WITHIN_S)

    def _learn(self, origin: str) -> None:
        if not self._asking.acquire(blocking=False):
            return
        try:
            said = self._ask(origin)
        finally:
            self._asking.release()
        if said is not None:
            self.note(origin, said)


def preflight(upstream: Origin, origin: str) -> bool | None:
    """Send a CORS preflight; return if the upstream allows `origin`, None without an answer."""
    try:
        with gevent.Timeout(ASK_WITHIN_S, NothingHeard()):
            return _preflight(upstream, origin)
    except (NothingHeard, Refusal, OSError, h11.ProtocolError):
        return None


def _preflight(upstream: Origin, origin: str) -> bool | None:
    connection = UpstreamConnection(dial(upstream, ASK_WITHIN_S))
    try:
        headers = [
            (b"Host", upstream.authority.encode("latin-1")),
            (b"Origin", origin.encode("latin-1")),
            (b"Access-Control-Request-Method", b"GET"),
            (b"Connection", b"close"),
        ]
        connection.send(
            h11.Request(method="OPTIONS", target=upstream.target(_PATH), headers=headers)
        )
        connection.send(h11.EndOfMessage())
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive(ASK_WITHIN_S)
        return allowed_by(event, origin) if isinstance(event, h11.Response) else None
    finally:
        connection.close()


def allowed_by(response: h11.Response, origin: str) -> bool:
    """Return whether ``Access-Control-Allow-Origin`` of an answer names `origin`.

    A ``*`` does not count: servers send it with public files such as fonts, and it does not mean
    that pages of all origins may call the server.
    """
    return dict(response.headers).get(_ALLOW_ORIGIN, b"") == origin.encode("latin-1")
