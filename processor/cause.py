"""The cause of a connection error, in words."""

from __future__ import annotations


def cause_of(error: BaseException) -> str:
    """Return the operating system's words for the cause of an error, or else the error's own."""
    cause = error.__cause__ or error.__context__ or error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
