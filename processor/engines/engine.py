"""The interface of an engine: takes a conversation, and yields the model's output as it comes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from bus.events.message import Failure
from bus.events.part import Tokens


class ChatMessage(Struct):
    """One message of the conversation; `content` as OpenAI's chat completions have it."""

    role: Literal["system", "user", "assistant"]
    content: str | list[dict[str, Any]]


class EngineRequest(Struct):
    """What to answer: the last of `messages`, by `model`."""

    model: str
    messages: Sequence[ChatMessage]


class Text(Struct, frozen=True, gc=False):
    """A piece of the answer."""

    text: str


class ReasoningPiece(Struct, frozen=True, gc=False):
    """A piece of what the model thinks."""

    text: str


class RetryNotice(Struct, frozen=True):
    """An attempt failed; number `attempt` starts at `next_ms` (ms since the Unix epoch)."""

    attempt: int
    message: str
    next_ms: int


class TokenUsage(Struct, frozen=True):
    """What the answer cost."""

    tokens: Tokens


class Finish(Struct, frozen=True):
    """The model is done, and why, in opencode's words: ``stop``, ``length``, …."""

    reason: str


Chunk = Text | ReasoningPiece | RetryNotice | TokenUsage | Finish


class ModelError(Exception):
    """The model did not answer, or not to the end.

    Attributes:
        failure: the error as clients see it.
        retryable: whether another attempt may do better.
        retry_after_s: how long the provider asks to wait, None if it does not.
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
    """Which model an engine has, as clients see it."""

    provider: str
    provider_name: str
    model: str
    url: str
    any_model: bool = False


class Engine(Protocol):
    """A source of answers."""

    offer: Offer

    def stream(self, request: EngineRequest) -> Generator[list[Chunk], None, None]:
        """Yield what the model says, as much at a time as arrives at a time.

        The caller closes the iterator to stop the model. `Finish` ends the turn; `TokenUsage` may
        come some seconds later, and nothing else.

        Raises:
            ModelError: the model did not answer, or not to the end.
        """
        ...
