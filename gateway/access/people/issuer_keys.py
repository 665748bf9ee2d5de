"""Fetches the public keys of an issuer of JWTs, in a greenlet of its own.

So no request waits for long for an issuer's server that hangs. A JWT with an unknown key id causes
a fetch, at most once in `SOONEST_S`, and its request waits `WAIT_S` at most. So a new key works at
once, and invented key ids cause few fetches.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import h11
import msgspec
from gevent.event import Event

from bus.origin import Origin
from gateway.access.people.file import Issuer, check_source
from gateway.access.people.key_set import KeySet
from gateway.proxy.connection import NothingHeard
from gateway.proxy.failures import Refusal
from gateway.proxy.own_request import asked

log = logging.getLogger("weir.gateway")

SOONEST_S = 10.0
WAIT_S = 2.0
_EVERY_S = 300.0
_FILE_EVERY_S = 5.0
_WITHIN_S = 5.0
_MOST_WAIT = 256
_DISCOVERY = "/.well-known/openid-configuration"

Ask = Callable[[Origin, str], tuple[int, bytes]]


class IssuerKeys:
    """The public keys of one issuer of JWTs.

    Args:
        issuer: the issuer's entry in the file of ``--identities``.
        ask: sends a ``GET`` to a server; returns the status and the body.

    Attributes:
        version: a number that grows each time the keys change.
    """

    def __init__(self, issuer: Issuer, ask: Ask = asked) -> None:
        self.version = 0
        self._issuer = issuer
        self._ask = ask
        self._keys: KeySet | None = None
        self._data = b""
        self._began = -SOONEST_S
        self._wanted, self._fetched = Event(), Event()
        self._waiting = 0
        self._failure = ""

    def key(self, kid: str | None, algorithm: str) -> Any | None:
        """Return the key for a key id and an algorithm; fetch the keys again if it is unknown.

        Returns None if the issuer has no such key.

        Raises:
            Refusal: the keys could not be fetched yet (503).
        """
        found = self._known(kid, algorithm)
        if found is None and self._waiting < _MOST_WAIT:
            self._await_fetch()
            found = self._known(kid, algorithm)
        if found is None and self._keys is None:
            words = f"the keys of {self._issuer.issuer!r} could not be fetched yet; try again"
            raise Refusal(503, words, (("Retry-After", "2"),))
        return found

    def run(self) -> None:
        """Fetch the keys again and again, without end; runs in a greenlet of its own."""
        source = self._issuer.jwks
        every_s = _FILE_EVERY_S if source.startswith("/") else _EVERY_S
        while True:
            self.fetch()
            self._wanted.wait(every_s if self._keys is not None else SOONEST_S)

    def fetch(self) -> None:
        """Fetch the keys; if the fetch fails, log this and keep the known keys."""
        self._wanted.clear()
        self._began = time.monotonic()
        try:
            with gevent.Timeout(_WITHIN_S, TimeoutError(f"no answer within {_WITHIN_S:g} s")):
                data = self._read()
            if data != self._data or self._keys is None:
                self._keys, self._data = KeySet(data), data
                self.version += 1
            self._failure = ""
        except (OSError, ValueError, Refusal, NothingHeard, h11.ProtocolError) as error:
            self._log(str(error) or type(error).__name__)
        finally:
            self._fetched.set()

    def _known(self, kid: str | None, algorithm: str) -> Any | None:
        return None if self._keys is None else self._keys.key(kid, algorithm)

    def _await_fetch(self) -> None:
        is_due = time.monotonic() - self._began >= SOONEST_S
        if is_due and not self._wanted.is_set():
            self._fetched.clear()
            self._wanted.set()
        self._waiting += 1
        try:
            self._fetched.wait(WAIT_S)
        finally:
            self._waiting -= 1

    def _read(self) -> bytes:
        where = check_source(self._issuer.jwks or self._discovered())
        if isinstance(where, Path):
            return where.read_bytes()
        return self._get(*where)

    def _discovered(self) -> str:
        """Return the URL of the keys, from the issuer's OpenID discovery document.

        Raises:
            ValueError: the document does not name the URL, or is of another issuer.
        """
        name = self._issuer.issuer
        where = check_source(name.rstrip("/") + _DISCOVERY, is_issuer=True)
        assert not isinstance(where, Path), "an issuer is not a file"
        try:
            found = msgspec.json.decode(self._get(*where), type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise ValueError(f"its discovery document cannot be read: {error}") from None
        if found.get("issuer") != name or not isinstance(found.get("jwks_uri"), str):
            raise ValueError("its discovery document is of another issuer, or has no jwks_uri")
        if found["jwks_uri"].startswith("/"):
            raise ValueError("the jwks_uri of its discovery document is not a URL")
        return str(found["jwks_uri"])

    def _get(self, server: Origin, route: str) -> bytes:
        status, body = self._ask(server, route)
        if status != 200:
            raise ValueError(f"{server} answers {status}")
        return body

    def _log(self, failure: str) -> None:
        """Log a failure, unless the last fetch failed in the same way."""
        if failure != self._failure:
            log.warning("the keys of %r cannot be fetched: %s", self._issuer.issuer, failure)
        self._failure = failure
