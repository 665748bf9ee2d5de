"""Any model behind an OpenAI-compatible ``/chat/completions``, streamed.

An attempt that fails before the first word is repeated if the error may pass. Once the model has
spoken, an error ends the turn: a second answer would not continue the first.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterator

import gevent
import msgspec
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)
from urllib3.response import BaseHTTPResponse

from bus.backoff import Backoff
from processor.cause import cause_of
from processor.clock import now_ms
from processor.engines.completion import BadStream, CompletionReader
from processor.engines.engine import Chunk, EngineRequest, ModelError, Offer, Retry
from processor.engines.failures import Refusal, interrupted, refused
from processor.settings import ModelSettings

READ_BYTES = 64 * 1024
MAX_ERROR_BYTES = 64 * 1024
CONNECTIONS = 256
# A provider that keeps the connection open after its last word must not hold up the turn.
DRAIN_S = 0.1


class OpenAIEngine:
    """Asks the model that the settings name."""

    def __init__(self, settings: ModelSettings) -> None:
        self.offer = Offer(
            provider="openai-compatible",
            provider_name="OpenAI-compatible",
            model=settings.name,
            url=settings.url,
            any_model=True,
        )
        self._url = f"{settings.url}/chat/completions"
        self._key = settings.key
        self._retries = settings.retries
        self._read_timeout_s = settings.read_timeout_s
        self._timeout = urllib3.Timeout(
            connect=settings.connect_timeout_s, read=settings.read_timeout_s
        )
        self._pool = urllib3.PoolManager(maxsize=CONNECTIONS)

    def stream(self, request: EngineRequest) -> Generator[list[Chunk], None, None]:
        """Yield the answer; an attempt that fails before its first word is repeated.

        Raises:
            ModelError: the provider refused, broke off, or fell silent.
        """
        backoff = Backoff()
        for attempt in itertools.count(1):
            spoken = False
            try:
                with contextlib.closing(self._attempt(request)) as answer:
                    for chunks in answer:
                        spoken = True
                        yield chunks
                return
            except ModelError as error:
                if spoken or not error.retryable or attempt > self._retries:
                    raise
                wait_s, asked_s, message = backoff.next_s(), error.retry_after_s, error.message
            pause_s = wait_s if asked_s is None else asked_s
            yield [Retry(attempt, message, now_ms() + int(pause_s * 1000))]
            gevent.sleep(pause_s)

    def _attempt(self, request: EngineRequest) -> Generator[list[Chunk], None, None]:
        reader = CompletionReader()
        with self._errors(), contextlib.closing(self._ask(request)) as response:
            while not reader.done and (data := response.read1(READ_BYTES)):
                chunks = reader.feed(data)
                if chunks:
                    yield chunks
                if reader.broken is not None:
                    raise reader.broken
            yield [reader.end()]
            gevent.with_timeout(DRAIN_S, response.drain_conn, timeout_value=None)

    def _ask(self, request: EngineRequest) -> BaseHTTPResponse:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key}"
        response = self._pool.request(
            "POST",
            self._url,
            body=msgspec.json.encode(
                {
                    "model": request.model,
                    "messages": request.messages,
                    "stream": True,
                    "stream_options": {"include_usage": True},
                }
            ),
            headers=headers,
            timeout=self._timeout,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        if response.status == 200:
            return response
        with contextlib.closing(response):
            body = response.read(MAX_ERROR_BYTES).decode(errors="replace")
        raise refused(self._without_key(response, body), self.offer.provider)

    def _without_key(self, response: BaseHTTPResponse, body: str) -> Refusal:
        """Providers quote the key they refuse: it must reach neither a log nor a client."""
        key = self._key or "\0"
        headers = {name: value.replace(key, "[key]") for name, value in response.headers.items()}
        return Refusal(response.status, headers, body.replace(key, "[key]"), self._url)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what can go wrong on the way into a `ModelError`."""
        try:
            yield
        except BadStream as error:
            raise interrupted(str(error), self._url) from error
        except ReadTimeoutError as error:
            message = f"the provider sent nothing for {self._read_timeout_s:g} s"
            raise interrupted(message, self._url) from error
        except (ConnectTimeoutError, NewConnectionError) as error:
            raise interrupted(f"no connection: {cause_of(error)}", self._url, True) from error
        except ProtocolError as error:
            message = f"the connection was cut: {cause_of(error)}"
            raise interrupted(message, self._url, True) from error
        except HTTPError as error:
            raise interrupted(f"the request failed: {cause_of(error)}", self._url) from error
