"""How to recognise a JWT, and the error of an invalid JWT; works without the library PyJWT."""

from __future__ import annotations


class BadJwt(Exception):
    """A JWT is not valid; the message gives the reason."""


def is_jwt(secret: str) -> bool:
    """Return whether a secret looks like a JWT: three parts of base64, the first of them JSON."""
    return secret.startswith("eyJ") and secret.count(".") == 2
