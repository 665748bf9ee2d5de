"""The form of a JWT, and the error of a wrong one: needs no library."""

from __future__ import annotations


class BadJwt(Exception):
    """A JWT that is not valid; the message is the reason."""


def is_jwt(secret: str) -> bool:
    """Return whether a secret has the form of a JWT."""
    return secret.startswith("eyJ") and secret.count(".") == 2
