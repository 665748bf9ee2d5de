"""Finds the principal (the sender with its rights) of a credential: a password, token or cookie.

If no login, no token and no people are set up, weir serves every request of this machine; the
principal is then `ANYBODY`.
"""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from bus.process.login import Login
from gateway.access.cookies import Cookies, PersonCookie
from gateway.access.credentials import Credential
from gateway.access.people.jwt_form import is_jwt
from gateway.access.people.people import People
from gateway.access.principal import Grant, Person, Principal, everything
from gateway.access.token_file import PREFIX
from gateway.access.tokens import Tokens

if TYPE_CHECKING:  # this module needs the extra `weir-events[jwt]`
    from gateway.access.people.jwt_tokens import JwtTokens

_LOOK_AT_PEOPLE_S = 1.0
ANYBODY = everything("anybody")
_WEIR_UP = everything("weir up")


class Identity:
    """The logins and tokens that a gateway accepts.

    Args:
        login: the user name and password of the server, or of its upstream; None if there is none.
        tokens: weir's own tokens; None if weir has no state folder.
        cookies: makes and reads the cookies of the console's login.
        own_token: the token of the agent that `weir up` runs beside this gateway; None if there is
            no such agent.
        people: knows the grants of people (``--identities``); None: people are not identified.
        jwts: checks JWTs; None: no issuer of JWTs is configured.

    Attributes:
        tokens: weir's own tokens; None if weir has no state folder.
    """

    def __init__(
        self,
        login: Login | None,
        tokens: Tokens | None,
        cookies: Cookies,
        own_token: str | None = None,
        people: People | None = None,
        jwts: JwtTokens | None = None,
    ) -> None:
        self._login = login
        self._owner = None if login is None else everything(login.username)
        self.tokens = tokens
        self._cookies = cookies
        self._people = people
        self._jwts = jwts
        self._people_at = 0.0
        # The earliest end of a JWT whose person may have an open stream or request.
        self._next_end = math.inf
        self._own_token = None if own_token is None else own_token.encode()

    @property
    def required(self) -> bool:
        """Whether a request needs a credential."""
        has_tokens = self.tokens is not None and self.tokens.exist
        return self._login is not None or has_tokens or self._people is not None

    def loops(self) -> list[Callable[[], None]]:
        """Return functions that never return; the caller runs each in a greenlet of its own."""
        return [] if self._jwts is None else self._jwts.loops()

    def of_token(self, credential: Credential) -> Principal | None:
        """Return the principal of a token or of a cookie, neither of which can be guessed.

        Raises:
            BadJwt: the token is a JWT that is not valid.
            Refusal: the keys of the JWT's issuer could not be fetched yet.
        """
        if credential.cookie:
            return self._expecting_end(self._of_cookie(credential.cookie))
        own = self._own_token
        if own is not None and hmac.compare_digest(credential.secret.encode(), own):
            return _WEIR_UP
        if self._jwts is not None and is_jwt(credential.secret):
            return self._expecting_end(self._jwts.principal(credential.secret))
        return None if self.tokens is None else self.tokens.principal(credential.secret)

    def of_person(self, person: Person) -> Principal:
        """Return the principal of a person that a trusted proxy names in a header."""
        assert self._people is not None, "a trusted header needs --identities"
        return self._people.principal(person)

    def is_guess(self, credential: Credential) -> bool:
        """Return whether a credential may be a guess at the password of the server's login."""
        is_password = credential.user is not None and not credential.secret.startswith(PREFIX)
        return self._login is not None and is_password

    def of_login(self, credential: Credential) -> Principal | None:
        """Return the principal of a user name and a password; None if they are wrong."""
        login = self._login
        if login is None or credential.user is None:
            return None
        given = f"{credential.user}:{credential.secret}".encode()
        right = f"{login.username}:{login.password}".encode()
        return self._owner if hmac.compare_digest(given, right) else None

    def cookie_for(self, principal: Principal) -> str:
        """Return the value of a login cookie that identifies a principal."""
        if principal.person is not None:
            return self._cookies.make_for_person(principal.person, principal.expires, time.time())
        return self._cookies.make(principal.id, time.time())

    def look(self) -> bool:
        """Read the files with tokens and grants again if they have changed.

        Returns whether a principal may have lost its grants, so that `holds` has to be called.
        """
        changed = self.tokens is not None and self.tokens.look()
        if self._people is not None and time.monotonic() >= self._people_at:
            self._people_at = time.monotonic() + _LOOK_AT_PEOPLE_S
            changed = self._people.look() or changed
        if time.time() >= self._next_end:
            self._next_end, changed = math.inf, True  # `holds` finds the next end
        return changed

    def holds(self, principal: Principal | None) -> bool:
        """Return whether a principal still has the same grants; if not, its requests must end.

        A principal without an identity (`ANYBODY`) loses its grants once an identity is required.
        """
        if principal is None or principal in (self._owner, _WEIR_UP):
            return True
        if principal.person is not None:
            over = principal.expires is not None and principal.expires <= time.time()
            self._expecting_end(None if over else principal)
            return not over and self._grants_of(principal.person) == principal.grants
        if not principal.id:
            return not self.required
        return self.tokens is not None and self.tokens.by_id(principal.id) == principal

    def _expecting_end(self, principal: Principal | None) -> Principal | None:
        """Return the principal; if a JWT of a person ends, `look` reports the end."""
        ends = None if principal is None or principal.person is None else principal.expires
        if ends is not None:
            self._next_end = min(self._next_end, ends)
        return principal

    def _of_cookie(self, cookie: str) -> Principal | None:
        found = self._cookies.read(cookie, time.time())
        if found is None:
            return None
        if isinstance(found, PersonCookie):
            if self._people is None:
                return None
            return self._people.principal(found.person, found.expires)
        if not found:
            return self._owner
        return None if self.tokens is None else self.tokens.by_id(found)

    def _grants_of(self, person: Person) -> tuple[Grant, ...]:
        return () if self._people is None else self._people.grants(person)
