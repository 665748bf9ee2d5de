"""The user name and password of a protected upstream, which also protect weir's own routes."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode

from msgspec import Struct

_SCHEME = "basic "


class Login(Struct, frozen=True):
    """HTTP Basic credentials."""

    username: str
    password: str

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header."""
        return f"Basic {b64encode(self._pair).decode()}"

    def admits(self, authorization: str | None, token: str | None) -> bool:
        """Return whether an ``Authorization`` header or an ``?auth_token`` is right.

        Both contain ``user:password`` in base64. If both are given, the header counts.
        """
        if authorization:
            scheme, given = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :]
            return scheme.lower() == _SCHEME and self._matches(given)
        # A plus sign that a client did not escape arrives as a space.
        return bool(token) and self._matches(str(token).replace(" ", "+"))

    def __repr__(self) -> str:
        return f"Login({self.username!r}, …)"

    @property
    def _pair(self) -> bytes:
        return f"{self.username}:{self.password}".encode()

    def _matches(self, given: str) -> bool:
        try:
            pair = b64decode(given.strip().encode(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(pair, self._pair)
