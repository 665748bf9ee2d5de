"""Errors of a provider, in opencode's forms."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping

from msgspec import Struct

from bus.events.message import Failure
from processor.engines import words
from processor.engines.engine import ModelError

RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, *range(520, 531)})
"""Statuses after which a new attempt may succeed; 520 and above come from proxies."""
MAX_RETRY_AFTER_S = 300.0
_OVERFLOW = re.compile(
    r"context_length_exceeded|maximum context length|context window|context length|"
    r"(prompt|input) is too long|exceeds? the (available )?context",
    re.IGNORECASE,
)
_PRIVATE_HEADERS = frozenset({"set-cookie", "authorization", "proxy-authorization"})


class ProviderRefusal(Struct, frozen=True):
    """An answer of a provider whose status is not 200."""

    status: int
    headers: Mapping[str, str]
    body: str
    url: str


def refused(refusal: ProviderRefusal, provider: str) -> ModelError:
    """Return the error for a status that is not 200."""
    message = words.in_body(refusal.body) or _unexplained(refusal)
    if refusal.status in (401, 403):
        return ModelError(
            Failure("ProviderAuthError", {"providerID": provider, "message": message})
        )
    if refusal.status in (400, 413) and _OVERFLOW.search(refusal.body):
        return ModelError(
            Failure("ContextOverflowError", {"message": message, "responseBody": refusal.body})
        )
    retryable = refusal.status in RETRYABLE
    headers = {
        name.lower(): value
        for name, value in refusal.headers.items()
        if name.lower() not in _PRIVATE_HEADERS
    }
    data = {
        "message": message,
        "statusCode": refusal.status,
        "isRetryable": retryable,
        "responseHeaders": headers,
        "responseBody": refusal.body,
        "metadata": {"url": refusal.url},
    }
    return ModelError(Failure("APIError", data), retryable, retry_after(headers))


def interrupted(message: str, url: str, retryable: bool = False) -> ModelError:
    """Return the error for an answer that did not come, or is incomplete."""
    if _OVERFLOW.search(message):
        return ModelError(Failure("ContextOverflowError", {"message": message}))
    data = {"message": message, "isRetryable": retryable, "metadata": {"url": url}}
    return ModelError(Failure("APIError", data), retryable)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how long a provider asks to wait (s), None if it does not say.

    Args:
        headers: with lower-case names.
    """
    value = headers.get("retry-after", "").strip()
    milliseconds = headers.get("retry-after-ms", "").strip()
    if milliseconds.isdecimal():
        asked = float(milliseconds) / 1000
    elif re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII):
        asked = float(value)
    else:
        date = email.utils.parsedate_tz(value)
        if date is None:
            return None
        try:
            asked = email.utils.mktime_tz(date) - time.time()
        except (ValueError, OverflowError):
            return None  # the date is out of range
    return min(max(0.0, asked), MAX_RETRY_AFTER_S)


def _unexplained(refusal: ProviderRefusal) -> str:
    place = next((v for name, v in refusal.headers.items() if name.lower() == "location"), None)
    leads = f" and leads to {place}; check --model-url" if place else ""
    return f"the provider answered {refusal.status}{leads}"
