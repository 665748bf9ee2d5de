"""The interface of an engine, which takes a conversation and yields the model's output."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from bus.events.message import Failure
from bus.events.part import TokenCounts


class ChatMessage(Struct, omit_defaults=True):
    """One message of the conversation, with fields as OpenAI's chat completions have them."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]]
    tool_calls: list[dict[str, Any]] = []
    tool_call_id: str = ""


class ToolOffer(Struct, frozen=True):
    """A tool that the model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


class EngineRequest(Struct):
    """A request: `model` answers the last of `messages`, and may call `tools`."""

    model: str
    messages: Sequence[ChatMessage]
    tools: Sequence[ToolOffer] = ()


class Text(Struct, frozen=True, gc=False):
    """A piece of the answer."""

    text: str


class ReasoningPiece(Struct, frozen=True, gc=False):
    """A piece of the model's reasoning."""

    text: str


class ThoughtSignature(Struct, frozen=True):
    """The provider's signature of the thought before it; it is sent back together with the
    thought.
    """

    signature: str


class RedactedThought(Struct, frozen=True):
    """A thought that the provider has encrypted; it is sent back as it is."""

    data: str


class CallBegun(Struct, frozen=True):
    """The model has begun to call a tool; `number` counts the calls of an answer.

    `id` is the provider's id of the call, empty if it has none.
    """

    number: int
    id: str
    tool: str


class CallWhole(Struct, frozen=True):
    """The call with this number is complete: its arguments, as the model wrote them."""

    number: int
    arguments: str


class RetryNotice(Struct, frozen=True):
    """An attempt failed; number `attempt` starts at `next_ms` (ms since the Unix epoch)."""

    attempt: int
    message: str
    next_ms: int


class TokenUsage(Struct, frozen=True):
    """The token counts of the answer."""

    tokens: TokenCounts


class Finish(Struct, frozen=True):
    """The model has stopped; `reason` in opencode's words: ``stop``, ``length``, …."""

    reason: str


Chunk = (
    Text
    | ReasoningPiece
    | ThoughtSignature
    | RedactedThought
    | CallBegun
    | CallWhole
    | RetryNotice
    | TokenUsage
    | Finish
)


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
    """Which model an engine has, as clients see it.

    `signs_thoughts`: the model needs its own signed thoughts back beside the calls of tools;
    `context`: how many tokens the model can read.
    """

    provider: str
    provider_name: str
    model: str
    url: str
    any_model: bool = False
    signs_thoughts: bool = False
    context: int = 128_000


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
