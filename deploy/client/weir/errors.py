"""The errors of this package; each is a `WeirError`."""

from __future__ import annotations

_MOST_CHARACTERS = 10_000


def described(error: BaseException) -> str:
    """Return the text that readers see for an error that ends a block."""
    return f"{type(error).__name__}: {error}"[:_MOST_CHARACTERS]


class WeirError(Exception):
    """Base of all errors of this package."""


class Refused(WeirError):
    """weir has refused a request or a line; the message says why, and what is allowed.

    Attributes:
        status: the HTTP status; 400 for a line.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Fenced(WeirError):
    """Another process has connected with this agent's name, so this process must stop."""


class Unreachable(WeirError):
    """weir has not answered for a minute, or is too slow."""


class Aborted(WeirError):
    """The turn has ended: by a person, by its deadline, or by weir."""
