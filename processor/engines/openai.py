"""Any model behind an OpenAI-compatible ``/chat/completions``, or Anthropic's ``/messages``.

An attempt that fails before its first output is repeated if the error may pass. After the first
output, an error ends the turn: a second answer would not continue the first.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Generator, Iterator

import gevent
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
)

from bus.backoff import Backoff
from processor.cause import cause_of
from processor.clock import now_ms
from processor.engines import failures
from processor.engines.anthropic import MessagesApi
from processor.engines.body import ModelResponse
from processor.engines.completion import BadStream, CompletionReader
from processor.engines.dialect import ChatCompletions, Dialect
from processor.engines.ending import Ending
from processor.engines.engine import (
    Chunk,
    EngineRequest,
    ModelError,
    Offer,
    RetryNotice,
    TokenUsage,
)
from processor.engines.provider import NoAnswer, Provider, RefusedRequest
from processor.settings import ModelSettings

_PAUSE_S = 0.5
"""After this time without a byte, a last line without a line end counts as complete."""


class OpenAIEngine:
    """Asks the model in the settings."""

    def __init__(self, settings: ModelSettings) -> None:
        is_anthropic = settings.api == "anthropic"
        self._dialect: Dialect = ChatCompletions()
        if is_anthropic:
            self._dialect = MessagesApi(settings.output, settings.thinking)
        self.offer = Offer(
            provider="anthropic" if is_anthropic else "openai-compatible",
            provider_name="Anthropic" if is_anthropic else "OpenAI-compatible",
            model=settings.name,
            url=settings.url,
            any_model=True,
            context=settings.context,
            signs_thoughts=self._dialect.signs_thoughts,
        )
        self._retries = settings.retries
        self._patience_s = settings.read_timeout_s
        self._most_bytes = settings.answer_limit
        self._provider = Provider(settings, self._dialect)

    def stream(self, request: EngineRequest) -> Generator[list[Chunk], None, None]:
        """Yield the answer; an attempt that fails before its first output is repeated.

        Raises:
            ModelError: the provider refused, stopped too early, or was silent for too long.
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
                if not spoken and self._provider.drops_options(request.model, error.message):
                    continue
                if spoken or not error.retryable or attempt > self._retries:
                    raise
                wait_s, asked_s, message = backoff.next_s(), error.retry_after_s, error.message
            pause_s = wait_s if asked_s is None else asked_s
            yield [RetryNotice(attempt, message, now_ms() + int(pause_s * 1000))]
            gevent.sleep(pause_s)

    def _attempt(self, request: EngineRequest) -> Generator[list[Chunk], None, None]:
        reader = CompletionReader(self._most_bytes, bool(request.tools), self._dialect.chunks())
        with (
            self._errors(reader),
            contextlib.closing(ModelResponse(self._provider.ask(request))) as body,
        ):
            now = time.monotonic()
            ending = Ending(self._patience_s, now)
            while not reader.done and (wait_s := ending.wait_s(now)) > 0:
                if chunks := _read(body, reader, wait_s):
                    yield chunks
                if reader.broken is not None:
                    raise reader.broken
                now = time.monotonic()
                ending.note(now, reader.words, reader.finished, reader.counted)
            if not (reader.finished or reader.done):
                raise reader.silence(self._patience_s)
            said = [*reader.flush(), *reader.end()]
            if reader.calls_tools:
                body.drain()  # the next request is due soon, on the same connection
            yield said
            while not reader.done and (wait_s := ending.late_s(time.monotonic())) > 0:
                yield [one for one in _read(body, reader, wait_s) if isinstance(one, TokenUsage)]
                ending.note(time.monotonic(), reader.words, reader.finished, reader.counted)
            body.drain()

    @contextlib.contextmanager
    def _errors(self, reader: CompletionReader) -> Iterator[None]:
        """Turn the errors of an attempt into a `ModelError`."""
        try:
            yield
        except RefusedRequest as error:
            raise failures.refused(error.refusal, self.offer.provider) from error
        except BadStream as error:
            raise self._interrupted(str(error), error.passes) from error
        except (NoAnswer, ReadTimeoutError) as error:
            message = f"the provider sent nothing for {self._patience_s:g} s"
            raise self._interrupted(message) from error
        except (ConnectTimeoutError, NewConnectionError) as error:
            raise self._interrupted(
                f"no connection to the provider: {cause_of(error)}", True
            ) from error
        except ProxyError as error:
            raise self._interrupted(*self._unproxied(error)) from error
        except ProtocolError as error:
            message = f"the connection to the provider was cut: {cause_of(error)}{reader.beside()}"
            raise self._interrupted(message, True) from error
        except HTTPError as error:
            message = f"the request to the provider failed: {cause_of(error)}{reader.beside()}"
            raise self._interrupted(message) from error

    def _unproxied(self, error: ProxyError) -> tuple[str, bool]:
        """Describe the failure of a proxy, and return whether it may pass: a refusal does not."""
        proxy, cause = self._provider.proxy, str(error.original_error)
        through = "" if proxy is None else f" through the proxy {proxy.url}"
        return (
            f"no connection to the provider{through}: {cause}",
            "connection failed: 4" not in cause,
        )

    def _interrupted(self, message: str, retryable: bool = False) -> ModelError:
        url = self._provider.url
        return failures.interrupted(self._provider.without_key(message), url, retryable)


def _read(body: ModelResponse, reader: CompletionReader, within_s: float) -> list[Chunk]:
    """Return the chunks in the next bytes, none if no bytes come within `within_s`.

    Raises:
        HTTPError: the connection broke before the answer was complete.
    """
    try:
        data = body.read(min(within_s, _PAUSE_S))
    except HTTPError:
        chunks = reader.pause()
        if reader.finished:
            return chunks + reader.close()
        if chunks or reader.broken:
            return chunks
        raise
    if data is None:
        return reader.pause()
    return reader.feed(data) if data else reader.close()
