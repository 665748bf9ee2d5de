"""The interface of an engine, which takes a conversation and yields the model's output."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from bus.events.message import Failure
from bus.events.part import Tokens


class ChatMessage(Struct):
    """One message of the conversation; `content` in the form of OpenAI's chat completions."""

    role: Literal["system", "user", "assistant"]
    content: str | list[dict[str, Any]]


class EngineRequest(Struct):
    """The request to answer the last of `messages` with `model`."""

    model: str
    messages: Sequence[ChatMessage]


class Text(Struct, frozen=True, gc=False):
    """A piece of the answer."""

    text: str


class ReasoningPiece(Struct, frozen=True, gc=False):
    """A piece of the model's reasoning."""

    text: str


class RetryNotice(Struct, frozen=True):
    """An attempt failed; number `attempt` starts at `next_ms` (ms since the Unix epoch)."""

    attempt: int
    message: str
    next_ms: int


class TokenUsage(Struct, frozen=True):
    """The token counts of the answer."""

    tokens: Tokens


class Finish(Struct, frozen=True):
    """The model has stopped; `reason` in opencode's words: ``stop``, ``length``, …."""

    reason: str


Chunk = Text | ReasoningPiece | RetryNotice | TokenUsage | Finish


class ModelError(Exception):
    """The model did not answer, or its answer is incomplete.

    Attributes:
        failure: the error for clients.
        retryable: another attempt may succeed.
        retry_after_s: how long the provider asks to wait, None if it does not say.
    """

    def __init__(
        self, failure: Failure, retryable: bool = False, retry_after_s: float | None = None
    ) -> None:
        self.message = str(failure.data.get("message", failure.name))
        super().__init__(self.message)
        self.failure = failure
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class Offer(Struct, frozen=True):
    """The model of an engine, for clients."""

    provider: str
    provider_name: str
    model: str
    url: str
    any_model: bool = False


class Engine(Protocol):
    """A source of answers."""

    offer: Offer

    def stream(self, request: EngineRequest) -> Generator[list[Chunk], None, None]:
        """Yield the model's output, in lists of the chunks that have arrived together.

        The caller closes the iterator to stop the model. `Finish` ends the turn; after it only
        `TokenUsage` may come, some seconds later.

        Raises:
            ModelError: the model did not answer, or its answer is incomplete.
        """
        ...
