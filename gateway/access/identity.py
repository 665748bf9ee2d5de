"""Finds the principal of a request: by the login of the server, or by a token.

If neither is set up, weir serves every request on this machine: the principal is `ANYBODY`.
"""

from __future__ import annotations

import hmac
import time

from bus.process.login import Login
from gateway.access.cookies import Cookies
from gateway.access.credentials import Credential
from gateway.access.principal import Principal, everything
from gateway.access.token_file import PREFIX
from gateway.access.tokens import Tokens

ANYBODY = everything("anybody")
_WEIR_UP = everything("weir up")


class Identity:
    """The logins and tokens that a gateway accepts.

    Args:
        login: the user name and password of the server, or of its upstream; None if there is none.
        tokens: of weir; None if weir has no folder for tokens.
        cookies: of the console's login.
        own_token: of the agent that `weir up` runs beside this gateway; None for none.

    Attributes:
        tokens: as given.
    """

    def __init__(
        self,
        login: Login | None,
        tokens: Tokens | None,
        cookies: Cookies,
        own_token: str | None = None,
    ) -> None:
        self._login = login
        self._owner = None if login is None else everything(login.username)
        self.tokens = tokens
        self._cookies = cookies
        self._own_token = None if own_token is None else own_token.encode()

    @property
    def required(self) -> bool:
        """Whether a request needs a credential."""
        return self._login is not None or (self.tokens is not None and self.tokens.exist)

    def of_token(self, credential: Credential) -> Principal | None:
        """Return the principal of a token or of a cookie, neither of which can be guessed."""
        if credential.cookie:
            return self._of_cookie(credential.cookie)
        own = self._own_token
        if own is not None and hmac.compare_digest(credential.secret.encode(), own):
            return _WEIR_UP
        return None if self.tokens is None else self.tokens.principal(credential.secret)

    def is_guess(self, credential: Credential) -> bool:
        """Return whether a credential may be a guess at the password."""
        is_password = credential.user is not None and not credential.secret.startswith(PREFIX)
        return self._login is not None and is_password

    def of_login(self, credential: Credential) -> Principal | None:
        """Return the principal of a user name and a password."""
        login = self._login
        if login is None or credential.user is None:
            return None
        given = f"{credential.user}:{credential.secret}".encode()
        right = f"{login.username}:{login.password}".encode()
        return self._owner if hmac.compare_digest(given, right) else None

    def cookie_for(self, principal: Principal) -> str:
        """Return the value of a cookie that identifies a principal until it expires."""
        return self._cookies.make(principal.id, time.time())

    def look(self) -> bool:
        """Read the tokens again if they have changed; return whether one may be invalid now."""
        return self.tokens is not None and self.tokens.look()

    def holds(self, principal: Principal | None) -> bool:
        """Return whether a principal still has the same grants.

        Requests without an identity end once the server requires an identity.
        """
        if principal is None or principal in (self._owner, _WEIR_UP):
            return True
        if not principal.id:
            return not self.required
        return self.tokens is not None and self.tokens.by_id(principal.id) == principal

    def _of_cookie(self, cookie: str) -> Principal | None:
        found = self._cookies.read(cookie, time.time())
        if found is None:
            return None
        if not found:
            return self._owner
        return None if self.tokens is None else self.tokens.by_id(found)
