"""Share links: each link has a token (a share) with which its user can only read one session.

1. A share is valid until it expires or is revoked, and never longer than the token of its maker.
2. If the server requires no identity, shares cannot be made: a link would give no rights that its
   user does not have, and the first token would make weir refuse all requests without a token.
3. People make no shares: weir does not know when a person has to lose the links, as it does of a
   token.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.access.identity import Identity
from gateway.access.principal import Principal
from gateway.access.token_file import BadTokenFile, StoredToken, TooManyShares
from gateway.access.tokens import Tokens
from gateway.proxy.failures import Refusal

LASTS = "7d"
_OF_PERSON = "people cannot share; make a token for that first (weir token create NAME --write)"
_NO_IDENTITY = (
    "this weir serves everybody who reaches it, without a login, so a link would limit nothing; "
    "make a token first (weir token create NAME --admin), or set OPENCODE_SERVER_PASSWORD"
)


class Shares:
    """Makes, lists and revokes the shares of a state folder.

    Args:
        identity: has the tokens, and knows whether requests need an identity; None: no shares can
            be made.
    """

    def __init__(self, identity: Identity | None = None) -> None:
        self._identity = identity
        self._tokens = None if identity is None else identity.tokens

    def make(self, session: str, lasts_s: float | None, by: Principal) -> tuple[str, StoredToken]:
        """Make a share of a session; return the secret for the link, and the share as stored.

        Args:
            session: id of the session.
            lasts_s: for how many seconds the share is valid; None: without a limit.
            by: the principal that makes the share.

        Raises:
            Refusal: shares cannot be made here or by a person, there are too many already, or the
                file of the tokens cannot be written.
        """
        tokens = self._required()
        if by.person is not None:
            raise Refusal(403, _OF_PERSON)
        ends = [] if lasts_s is None else [time.time() + lasts_s]
        expires = min([*ends, *([] if by.expires is None else [by.expires])], default=None)
        try:
            return tokens.add_share(session, expires, by.id)
        except TooManyShares as error:
            raise Refusal(409, f"{error}; revoke some first") from error
        except BadTokenFile as error:
            raise Refusal(503, str(error)) from error

    def all(self) -> list[StoredToken]:
        """Return the shares that are valid now."""
        return [] if self._tokens is None else self._tokens.shares()

    def revoke(self, which: Callable[[StoredToken], bool]) -> list[StoredToken]:
        """Revoke all shares for which `which` returns True; return the revoked shares.

        Raises:
            Refusal: the file of the tokens cannot be written.
        """
        if self._tokens is None:
            return []
        try:
            return self._tokens.remove(lambda one: one.shared and which(one))
        except BadTokenFile as error:
            raise Refusal(503, str(error)) from error

    def _required(self) -> Tokens:
        if self._tokens is None or self._identity is None:
            raise Refusal(501, "this weir has no folder for tokens; start it with --state")
        if not self._identity.required:
            raise Refusal(409, _NO_IDENTITY)
        return self._tokens


def session_of(share: StoredToken) -> str:
    """Return the id of the session that a share is for."""
    return share.sessions[0]
