"""The cookie of a login to weir's console: who has logged in, and until when, with a signature.

A gateway makes the key of the signature at its start, for all its workers, so a restart ends all
logins. The cookie names a token by its id, not by its secret, since browsers also send the cookie
to servers on other ports of this machine.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
from msgspec import Struct

from gateway.access.principal import Person
from gateway.proxy.failures import Refusal

LASTS_S = 12 * 3600
_LONGEST = 3500
"""The size limit of a person's data in bytes: browsers drop cookies of more than 4,096 bytes."""
_VALUE = re.compile(r"(~?[A-Za-z0-9_=-]{0,4000})\.([0-9]{1,12})\.([0-9a-f]{64})")
_OF_A_PERSON = "~"


class PersonCookie(Struct, frozen=True, array_like=True):
    """The content of the cookie of a person, and when the person's JWT expires (Unix time, s).

    A person has no token in the state folder, so the cookie contains the person's name and groups.
    """

    person: Person
    expires: float | None


class Cookies:
    """Makes and reads the values of the login cookie.

    Args:
        key: the key of the signatures; only the workers of this gateway have it.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, token: str, now: float) -> str:
        """Return the cookie's value for a login with a token or with the server's password.

        Args:
            token: the id of the token that was used; empty for the server's password.
            now: seconds since the Unix epoch.
        """
        return self._signed(token, int(now) + LASTS_S)

    def make_for_person(self, person: Person, expires: float | None, now: float) -> str:
        """Return the cookie's value for a person; it expires with the person's JWT at the latest.

        Raises:
            Refusal: the person's groups and grants do not fit into a cookie.
        """
        content = msgspec.json.encode(PersonCookie(person, expires))
        packed = urlsafe_b64encode(content).decode()
        if len(packed) > _LONGEST:
            words = "this token has too many groups or grants for a cookie; send it as Bearer"
            raise Refusal(400, words)
        until = int(now) + LASTS_S if expires is None else min(int(now) + LASTS_S, int(expires))
        return self._signed(_OF_A_PERSON + packed, until)

    def read(self, value: str, now: float) -> str | PersonCookie | None:
        """Return the id of the token (empty: the server's password), or the person, in a value.

        Returns None if another gateway has signed the value, or if it has expired.
        """
        match = _VALUE.fullmatch(value)
        if match is None or int(match[2]) <= now:
            return None
        if not hmac.compare_digest(self._mac(f"{match[1]}.{match[2]}"), match[3]):
            return None
        if match[1].startswith(_OF_A_PERSON):
            return msgspec.json.decode(urlsafe_b64decode(match[1][1:]), type=PersonCookie)
        return match[1]

    def _signed(self, what: str, until: int) -> str:
        said = f"{what}.{until}"
        return f"{said}.{self._mac(said)}"

    def _mac(self, said: str) -> str:
        return hmac.digest(self._key, said.encode(), "sha256").hex()
