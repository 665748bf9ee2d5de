"""The cause of a connection's error, in words."""

from __future__ import annotations


def cause_of(error: BaseException) -> str:
    """Say what brought an error about, as the system names it where it does."""
    cause = error.__cause__ or error.__context__ or error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
