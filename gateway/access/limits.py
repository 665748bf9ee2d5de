"""Limits how much of a worker one principal may use. No I/O.

1. A principal is a token, a person, or the server's login. Each principal has its own limits, and
   each worker counts for itself.
2. A session in which a turn runs counts as one turn of the principal that sent its last prompt to
   this worker. Further prompts wait in the session's queue, and count as the same turn.
3. For `_STARTING_S` after a prompt, the prompt's session counts as if a turn runs, since the news
   that the turn has begun comes later.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import unquote

from msgspec import Struct

from gateway.access.principal import Principal
from gateway.access.request_rate import RequestRate
from gateway.access.rules import Found, Place
from gateway.door.request import Request
from gateway.proxy.failures import Refusal

REQUESTS, STREAMS = "--principal-requests", "--principal-streams"
TURNS, BODY = "--principal-turns", "--principal-body"
_BEGIN_TURNS = (
    *("message", "prompt", "prompt_async", "command", "shell", "summarize", "compact", "init"),
)
_STARTING_S = 5.0
_RETRY_AFTER_S = 2
_MIB = 1024 * 1024


class PrincipalBounds(Struct, frozen=True):
    """The limits of a principal; 0 means no limit.

    Attributes:
        requests_s: requests a second; twice as many may come at once.
        streams: open event streams.
        turns: sessions in which a turn runs.
        body_mib: size of the body of a request, in MiB.
    """

    requests_s: float = 0.0
    streams: int = 0
    turns: int = 0
    body_mib: int = 0


class PrincipalLimits:
    """Counts what each principal uses, and refuses requests over the limits.

    Args:
        bounds: the limits.
        streams_of: returns how many event streams a principal has open.
        is_at_work: returns whether a turn runs in a session.
        clock: returns the time in seconds, monotonic.
    """

    def __init__(
        self,
        bounds: PrincipalBounds,
        streams_of: Callable[[Principal], int],
        is_at_work: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bounds = bounds
        self._streams_of = streams_of
        self._is_at_work = is_at_work
        self._clock = clock
        self._rate = RequestRate(bounds.requests_s, clock)
        self._turns: dict[str, dict[str, float]] = {}

    def take(self, request: Request, found: Found, principal: Principal) -> None:
        """Count a request; health checks and routes without data of a user are not counted.

        Raises:
            Refusal: the principal reaches a limit (429). A body that is too long is refused later
                (413), while it is read.
        """
        if found.rule.place in (Place.PUBLIC, Place.NOWHERE):
            return
        wait_s = self._rate.take(principal.key)
        if wait_s is not None:
            raise _too_many(principal, "sends too many requests a second", REQUESTS, wait_s)
        if self._bounds.body_mib:
            request.body.limit_to(self._bounds.body_mib * _MIB, BODY)
        if found.rule.place is Place.STREAM and request.method == "GET":
            self._check_streams(principal)

    def begin_turn(self, request: Request, found: Found, principal: Principal) -> None:
        """If a request begins a turn, count this turn for the principal.

        Raises:
            Refusal: the principal has too many turns (429).
        """
        session = found.params.get("session")
        last = unquote(request.path).rstrip("/").rpartition("/")[2].lower()
        if not self._bounds.turns or session is None or request.method != "POST":
            return
        if last not in _BEGIN_TURNS:
            return
        turns = self._running(principal.key)
        if session not in turns and len(turns) >= self._bounds.turns:
            words = f"has {self._bounds.turns} turns"
            raise _too_many(principal, words, TURNS, _RETRY_AFTER_S)
        for others in self._turns.values():
            others.pop(session, None)
        self._turns.setdefault(principal.key, turns)[session] = self._clock()

    def _check_streams(self, principal: Principal) -> None:
        most = self._bounds.streams
        if most and self._streams_of(principal) >= most:
            raise _too_many(principal, f"has {most} event streams", STREAMS, _RETRY_AFTER_S)

    def _running(self, key: str) -> dict[str, float]:
        """Return the sessions in which a principal's turns run, with their last prompt's time."""
        turns, now = self._turns.pop(key, {}), self._clock()
        running = {
            session: began
            for session, began in turns.items()
            if now - began < _STARTING_S or self._is_at_work(session)
        }
        if running:
            self._turns[key] = running
        return running


def _too_many(principal: Principal, words: str, bound: str, wait_s: int) -> Refusal:
    text = f"{principal.name!r} {words}; {bound} limits that for each worker; try again"
    return Refusal(429, text, (("Retry-After", str(wait_s)),), bound)
