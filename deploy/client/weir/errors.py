"""What can go wrong for an agent; every error of this package is a `WeirError`."""

from __future__ import annotations

_MOST_CHARACTERS = 10_000


def described(error: BaseException) -> str:
    """Return what readers see of an error that ends a block, at most `_MOST_CHARACTERS` of it."""
    return f"{type(error).__name__}: {error}"[:_MOST_CHARACTERS]


class WeirError(Exception):
    """Base of all errors of this package."""


class Refused(WeirError):
    """weir has refused something; the message says what, and what is allowed.

    Attributes:
        status: as HTTP has it; 400 for a line.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Fenced(WeirError):
    """Another process has connected under the same name; this one may not go on."""


class Unreachable(WeirError):
    """No weir has answered for a minute, or it does not keep up."""


class Aborted(WeirError):
    """The turn has ended: a person has stopped it, its deadline is over, or weir has ended it."""
