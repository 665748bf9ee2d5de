"""Sends the HTTP request of a chat completion to a provider, and reads refusals."""

from __future__ import annotations

import contextlib
import logging
import re
from typing import Any

import gevent
import msgspec
import urllib3
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.response import BaseHTTPResponse

from processor.engines.engine import EngineRequest
from processor.engines.failures import ProviderRefusal
from processor.fair_reads import ClosedMeanwhile, fair
from processor.proxies import ProviderProxy
from processor.settings import ModelSettings

log = logging.getLogger("weir.processor")

CONNECTIONS = 256
MAX_ERROR_BYTES = 64 * 1024
ERROR_BODY_S = 5.0
# A provider that refuses an unknown field may name the field, or only report that there is one.
_NAMES_OPTIONS = re.compile(r"stream_options|include_usage", re.IGNORECASE)
_NAMES_A_FIELD = re.compile(
    r"(extra|additional|unknown|unrecognized|unexpected|unsupported|invalid) "
    r"(request )?(input|field|propert|argument|parameter|key)",
    re.IGNORECASE,
)


class RefusedRequest(Exception):
    """The provider's status is not a success."""

    def __init__(self, refusal: ProviderRefusal) -> None:
        super().__init__(refusal.status)
        self.refusal = refusal


class NoAnswer(Exception):
    """The head of an answer did not come in time."""


class Provider:
    """One provider, over HTTP."""

    def __init__(self, settings: ModelSettings) -> None:
        self.url = f"{settings.url}/chat/completions"
        self._key = settings.key
        # A read has no timeout of its own: bytes that trickle in would extend it. The whole head
        # has a deadline, and the code that reads the body has another.
        self._timeout = urllib3.Timeout(connect=settings.connect_timeout_s, read=None)
        self._head_s = settings.connect_timeout_s + settings.read_timeout_s
        self.proxy = settings.proxy
        self._pool = _pool(settings.proxy)
        self._without_options: set[str] = set()

    def ask(self, request: EngineRequest) -> BaseHTTPResponse:
        """Send a request, and return the answer with its body unread.

        If a model refuses the option for token counts, the request is repeated without it; later
        requests do not have it.

        Raises:
            RefusedRequest: the status is not a success.
            NoAnswer: no answer came in time.
            HTTPError: the connection failed.
        """
        if request.model not in self._without_options:
            try:
                return self._post(_body(request, with_options=True))
            except RefusedRequest as error:
                if not _refuses_options(error.refusal):
                    raise
        response = self._post(_body(request, with_options=False))
        self._without_options.add(request.model)
        return response

    def drops_options(self, model: str, words: str) -> bool:
        """Note that a model has refused the options, if the error in its answer is about them."""
        if model in self._without_options or not _NAMES_OPTIONS.search(words):
            return False
        self._without_options.add(model)
        return True

    def without_key(self, text: str) -> str:
        """Return text without the key: providers quote a refused key, which nobody may see."""
        return text if self._key is None else text.replace(self._key, "[key]")

    def _post(self, body: dict[str, Any]) -> BaseHTTPResponse:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
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
    log.info("the model is asked through the proxy %s", proxy.url)
    login = None if proxy.login is None else urllib3.make_headers(proxy_basic_auth=proxy.login)
    return fair(urllib3.ProxyManager(proxy.url, maxsize=CONNECTIONS, proxy_headers=login))


def _body(request: EngineRequest, with_options: bool) -> dict[str, Any]:
    body = {"model": request.model, "messages": request.messages, "stream": True}
    return body | ({"stream_options": {"include_usage": True}} if with_options else {})


def _refuses_options(refusal: ProviderRefusal) -> bool:
    named = _NAMES_OPTIONS.search(refusal.body) is not None
    return named or (refusal.status in (400, 422) and bool(_NAMES_A_FIELD.search(refusal.body)))
