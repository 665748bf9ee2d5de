"""Sends the HTTP request of a chat completion to a provider, and reads refusals."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import gevent
import msgspec
import urllib3
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.response import BaseHTTPResponse

from processor.engines.dialect import COUNTS, NAMES_COUNTS, Dialect
from processor.engines.engine import EngineRequest
from processor.engines.failures import ProviderRefusal
from processor.fair_reads import ClosedMeanwhile, fair
from processor.proxies import ProviderProxy
from processor.settings import ModelSettings

log = logging.getLogger("weir.processor")

CONNECTIONS = 256
MAX_ERROR_BYTES = 64 * 1024
ERROR_BODY_S = 5.0


class RefusedRequest(Exception):
    """The provider's status is not a success."""

    def __init__(self, refusal: ProviderRefusal) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


class NoAnswer(Exception):
    """The head of an answer did not come in time."""


class Provider:
    """One provider, over HTTP."""

    def __init__(self, settings: ModelSettings, dialect: Dialect) -> None:
        self.url = f"{settings.url}{dialect.path}"
        self._dialect = dialect
        self._key = settings.key
        # A read has no timeout of its own: bytes that trickle in would extend it. The whole head
        # has a deadline, and the code that reads the body has another.
        self._timeout = urllib3.Timeout(connect=settings.connect_timeout_s, read=None)
        self._head_s = settings.connect_timeout_s + settings.read_timeout_s
        self.proxy = settings.proxy
        self._pool = _pool(settings.proxy)
        self._refused: dict[str, frozenset[str]] = {}

    def ask(self, request: EngineRequest) -> BaseHTTPResponse:
        """Send a request, and return the answer with its body unread.

        If a model refuses the option to count tokens or to call tools, this request is sent again
        without the option. Later requests to the model do not contain the option.

        Raises:
            RefusedRequest: the status is not a success.
            NoAnswer: no answer came in time.
            HTTPError: the connection failed.
        """
        without = self._refused.get(request.model, frozenset())
        while True:
            try:
                response = self._post(self._dialect.body(request, without))
            except RefusedRequest as error:
                option = self._dialect.refused(error.refusal)
                if option is None or option in without:
                    raise
                without |= {option}
            else:
                if without:
                    self._refused[request.model] = without
                return response

    def drops_options(self, model: str, words: str) -> bool:
        """Note that a model has refused an option, if an error in its answer says so."""
        without = self._refused.get(model, frozenset())
        if COUNTS in without or not NAMES_COUNTS.search(words):
            return False
        self._refused[model] = without | {COUNTS}
        return True

    def without_key(self, text: str) -> str:
        """Return text without the key: providers quote a refused key, which is a secret."""
        return text if self._key is None else text.replace(self._key, "[key]")

    def _post(self, body: dict[str, Any]) -> BaseHTTPResponse:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        headers |= self._dialect.headers(self._key)
        with gevent.Timeout(self._head_s, NoAnswer):
            response = self._send(msgspec.json.encode(body), headers)
        if 200 <= response.status < 300:
            return response
        raise RefusedRequest(self._refusal(response))

    def _send(self, body: bytes, headers: dict[str, str]) -> BaseHTTPResponse:
        """Send a request; repeat it at once if an idle connection was closed by the provider."""
        while True:
            try:
                return self._pool.request(
                    "POST",
                    self.url,
                    body=body,
                    headers=headers,
                    timeout=self._timeout,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                )
            except ProtocolError as error:
                if not isinstance(error.args[-1], ClosedMeanwhile):
                    raise

    def _refusal(self, response: BaseHTTPResponse) -> ProviderRefusal:
        """Read a refusal; its status counts even if its body is cut, or never ends."""
        body = bytearray()

        def read() -> None:
            while len(body) < MAX_ERROR_BYTES and (data := response.read1(MAX_ERROR_BYTES)):
                body.extend(data)

        with contextlib.closing(response), contextlib.suppress(HTTPError):
            gevent.with_timeout(ERROR_BODY_S, read, timeout_value=None)
        text = self.without_key(body[:MAX_ERROR_BYTES].decode(errors="replace"))
        headers = {name: self.without_key(value) for name, value in response.headers.items()}
        return ProviderRefusal(response.status, headers, text, self.url)


def _pool(proxy: ProviderProxy | None) -> urllib3.PoolManager:
    if proxy is None:
        return fair(urllib3.PoolManager(maxsize=CONNECTIONS))
    log.info("requests to the model provider go through the proxy %s", proxy.url)
    login = None if proxy.login is None else urllib3.make_headers(proxy_basic_auth=proxy.login)
    return fair(urllib3.ProxyManager(proxy.url, maxsize=CONNECTIONS, proxy_headers=login))
