"""The cookie of the console's login: its token and its expiry, signed.

The key is made when the gateway starts, and shared by its workers, so a restart ends all logins.
The cookie has no credential: browsers also send it to servers on other ports of this machine.
"""

from __future__ import annotations

import hmac
import re

LASTS_S = 12 * 3600
_VALUE = re.compile(r"([A-Za-z0-9_-]{0,64})\.([0-9]{1,12})\.([0-9a-f]{64})")


class Cookies:
    """Makes and reads values of the cookie.

    Args:
        key: known only to the workers of a gateway.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, token: str, now: float) -> str:
        """Return a value.

        Args:
            token: the id of the token that was used; empty for the server's login.
            now: seconds since the Unix epoch.
        """
        said = f"{token}.{int(now) + LASTS_S}"
        return f"{said}.{self._mac(said)}"

    def read(self, value: str, now: float) -> str | None:
        """Return the id of the token, None if the value is another gateway's or has expired."""
        match = _VALUE.fullmatch(value)
        if match is None or int(match[2]) <= now:
            return None
        if not hmac.compare_digest(self._mac(f"{match[1]}.{match[2]}"), match[3]):
            return None
        return match[1]

    def _mac(self, said: str) -> str:
        return hmac.digest(self._key, said.encode(), "sha256").hex()
