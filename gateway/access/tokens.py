"""The tokens of a state folder in a worker: by hash, and read again when the file changes."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from gateway.access.principal import Principal
from gateway.access.token_file import BadTokenFile, StoredToken, TokenFile, hash_of

log = logging.getLogger("weir.gateway")


class Tokens:
    """All tokens that are valid now.

    Once there were any tokens, weir requires an identity until it is restarted, even if the file
    is deleted.

    Args:
        folder: the state folder.

    Raises:
        BadTokenFile: the file cannot be read, or other users may read it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = TokenFile(folder)
        self._stamp = self._file.stamp()
        self._looked_at = time.time()
        self.exist = self._stamp is not None
        self._by_hash: dict[str, StoredToken] = {}
        self._principals: dict[str, Principal] = {}
        self._take(self._file.read())

    def principal(self, secret: str) -> Principal | None:
        """Return the principal of a token; None if the token is not valid."""
        stored = self._by_hash.get(hash_of(secret)) if secret else None
        return None if stored is None else self.by_id(stored.id)

    def by_id(self, token: str) -> Principal | None:
        """Return the principal of a valid token's id."""
        found = self._principals.get(token)
        if found is None or (found.expires is not None and found.expires <= time.time()):
            return None
        return found

    def look(self) -> bool:
        """Read the file again if it has changed; return whether a token may be invalid now.

        If the file is unreadable, no token is valid.
        """
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return self._expired()
        try:
            self._take(self._file.read())
        except BadTokenFile as error:
            self._take(())
            log.error("no token is valid now: %s", error)
        self.exist = self.exist or stamp is not None
        self._stamp = stamp
        return True

    def _expired(self) -> bool:
        """Return whether a token has expired since this was asked last."""
        now = time.time()
        before, self._looked_at = self._looked_at, now
        ends = (one.expires for one in self._principals.values() if one.expires is not None)
        return any(before < end <= now for end in ends)

    def _take(self, stored: tuple[StoredToken, ...]) -> None:
        self._by_hash = {one.sha256: one for one in stored}
        self._principals = {one.id: one.principal() for one in stored}
