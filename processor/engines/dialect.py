"""The differences between the APIs of providers; the rest of an engine is common to all."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any, Protocol

from processor.engines import chunk
from processor.engines.chat import without_calls
from processor.engines.chunk import Json, Spoken
from processor.engines.engine import EngineRequest
from processor.engines.failures import ProviderRefusal

COUNTS, TOOLS = "stream_options", "tools"
_NAMES_TOOLS = re.compile(
    r"(support|enable|allow|accept|permit)\w* (\w+ ){0,3}(tool|function)|"
    r"(tool|function)s?\b[^.]{0,40} (not|n't|un)\s?(be )?(support|enable|allow|accept|permit)",
    re.IGNORECASE,
)
# A provider that refuses an unknown field may name the field, or only report that there is one.
NAMES_COUNTS = re.compile(r"stream_options|include_usage", re.IGNORECASE)
_NAMES_A_FIELD = re.compile(
    r"(extra|additional|unknown|unrecognized|unexpected|unsupported|invalid) "
    r"(request )?(input|field|propert|argument|parameter|key)",
    re.IGNORECASE,
)


class ChunkReader(Protocol):
    """Decodes the chunks (pieces that a provider streams) of one answer of the model."""

    def read(self, body: Json) -> Spoken:
        """Return the content of a chunk.

        Raises:
            UnreadableChunk: a piece of the answer cannot be decoded.
        """
        ...

    def passes(self, error: Any) -> bool:
        """Return whether a new attempt may succeed after an error that came as an event."""
        ...


class Dialect(Protocol):
    """The API of a provider.

    Attributes:
        path: below the base URL.
        signs_thoughts: the model needs its signed thoughts back.
    """

    path: str
    signs_thoughts: bool

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the headers for a request; `key` is None for a server that needs no key."""
        ...

    def body(self, request: EngineRequest, without: Set[str]) -> dict[str, Any]:
        """Return a request; `without` names the fields that the provider has refused."""
        ...

    def refused(self, refusal: ProviderRefusal) -> str | None:
        """Return the field to leave out next time; None if the refusal has another reason."""
        ...

    def chunks(self) -> ChunkReader:
        """Return a new reader for the chunks of one answer of the model."""
        ...


class CompletionChunks:
    """Reads the chunks of a chat completion."""

    def read(self, body: Json) -> Spoken:
        """Return the content of a chunk; see `ChunkReader`."""
        return chunk.read(body)

    def passes(self, error: Any) -> bool:
        """Return whether another attempt may succeed; some providers say so by a code."""
        return False


class ChatCompletions:
    """The dialect of OpenAI's chat completions."""

    path = "/chat/completions"
    signs_thoughts = False

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the headers for a request."""
        return {} if key is None else {"Authorization": f"Bearer {key}"}

    def body(self, request: EngineRequest, without: Set[str]) -> dict[str, Any]:
        """Return a request; `without` names the fields that the provider has refused."""
        tools = request.tools if TOOLS not in without else ()
        body: dict[str, Any] = {
            "model": request.model,
            "messages": request.messages if tools else without_calls(request.messages),
            "stream": True,
        }
        if COUNTS not in without:
            body["stream_options"] = {"include_usage": True}
        if tools:
            body["tools"] = [{"type": "function", "function": tool} for tool in tools]
        return body

    def refused(self, refusal: ProviderRefusal) -> str | None:
        """Return the field to leave out next time; None if the refusal has another reason."""
        if refusal.status in (400, 404, 422, 501) and _NAMES_TOOLS.search(refusal.body):
            return TOOLS
        named = NAMES_COUNTS.search(refusal.body) is not None
        unknown = refusal.status in (400, 422) and bool(_NAMES_A_FIELD.search(refusal.body))
        return COUNTS if named or unknown else None

    def chunks(self) -> CompletionChunks:
        """Return a new reader for the chunks of one answer of the model."""
        return CompletionChunks()
