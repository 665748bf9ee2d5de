"""The exceptions that this package raises; each is a `WeirError`."""

from __future__ import annotations

_MOST_CHARACTERS = 10_000


def described(error: BaseException) -> str:
    """Return the text with which clients see an exception that ended a turn or a tool call."""
    return f"{type(error).__name__}: {error}"[:_MOST_CHARACTERS]


class WeirError(Exception):
    """The base class of all exceptions of this package."""


class Refused(WeirError):
    """weir has refused a request or a line of output; the message says why, and what is allowed.

    Attributes:
        status: the HTTP status of the refused request; 400 for a line.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Fenced(WeirError):
    """Another process has connected with this agent's name since, so this process must stop."""


class Unreachable(WeirError):
    """weir has not answered for a minute, or has not saved output within the caller's timeout."""


class Aborted(WeirError):
    """The turn was stopped by a person, by its deadline, or by weir; the agent must not go on."""
