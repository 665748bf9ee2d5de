"""Failures of the upstream in words, as the end of a sentence that begins with its name."""

from __future__ import annotations

import ssl

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.response import BaseHTTPResponse

from processor.cause import cause_of

_MOST_CHARACTERS = 100


def in_words(error: HTTPError | OSError) -> str:
    """Describe an error of the connection."""
    cause = error.__cause__ or error.__context__
    if isinstance(error, NameResolutionError):
        return "has a name that cannot be resolved"
    if isinstance(error, NewConnectionError):
        if isinstance(cause, ConnectionRefusedError):
            return "refuses connections"
        return f"cannot be reached ({cause_of(error)})"
    if isinstance(error, ConnectTimeoutError):
        return "does not accept the connection"
    if isinstance(error, ReadTimeoutError | TimeoutError):
        return "is silent"
    if isinstance(error, SSLError | ssl.SSLError):
        return f"cannot be trusted ({cause_of(error)})"
    if isinstance(error, ProtocolError | OSError):
        return f"cut the connection ({cause_of(error)})"
    return f"cannot be asked ({cause_of(error)})"


def refusal(response: BaseHTTPResponse) -> str:
    """Describe an answer that is not the expected one."""
    said = f"answers {response.status} {_short(response.reason or '')}".rstrip()
    if response.status in (401, 403):
        return f"{said}: OPENCODE_SERVER_PASSWORD is missing or wrong"
    if response.status == 200:
        kind = _short(response.headers.get("Content-Type", "nothing known"))
        return f"{said} with {kind}: is it an opencode?"
    return said


def _short(text: str) -> str:
    """Return text cut to the length that a log line may have."""
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
