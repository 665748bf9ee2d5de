"""A worker's copy of the tokens in the state folder; the file is read again when it changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from gateway.access.principal import Principal
from gateway.access.token_file import PREFIX, BadTokenFile, StoredToken, TokenFile, hash_of

log = logging.getLogger("weir.gateway")


class Tokens:
    """All tokens that are valid now.

    Once the file with the tokens has existed, weir requires an identity until it is restarted,
    even if the file is deleted.

    Args:
        folder: the state folder.

    Raises:
        BadTokenFile: the file cannot be read, or other users may read it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = TokenFile(folder)
        self._stamp = self._file.stamp()
        self._looked_at = time.time()
        self._changed = self._failed = False
        self.exist = self._stamp is not None
        self._by_hash: dict[str, StoredToken] = {}
        self._principals: dict[str, Principal] = {}
        self._take(self._file.read())

    def principal(self, secret: str) -> Principal | None:
        """Return the principal of a token's secret text; None if the token is not valid.

        For an unknown token, the file is read again, so that a new token is valid at once.
        """
        if not secret.startswith(PREFIX):
            return None
        hashed = hash_of(secret)
        if hashed not in self._by_hash:
            self._read_changes()
        stored = self._by_hash.get(hashed)
        return None if stored is None else self.by_id(stored.id)

    def shares(self) -> list[StoredToken]:
        """Return the shares that are valid now."""
        self._read_changes()
        now = time.time()
        return [one for one in self._by_hash.values() if one.shared and not one.is_over(now)]

    def add_share(self, session: str, expires: float | None, by: str) -> tuple[str, StoredToken]:
        """Make a share (see `TokenFile.add_share`).

        Raises:
            TooManyShares: there are too many.
            BadTokenFile: the file cannot be read or written.
        """
        return self._file.add_share(session, expires, by)

    def remove(self, which: Callable[[StoredToken], bool]) -> list[StoredToken]:
        """Revoke all tokens for which `which` returns True; return the revoked tokens.

        Raises:
            BadTokenFile: the file cannot be read or written.
        """
        gone = list(self._file.remove(which))
        self._read_changes()
        return gone

    def by_id(self, token: str) -> Principal | None:
        """Return the principal of the token with an id; None if the token is not valid."""
        found = self._principals.get(token)
        if found is None or (found.expires is not None and found.expires <= time.time()):
            return None
        return found

    def look(self) -> bool:
        """If the file has changed, read it again; return whether any token may be invalid now."""
        self._read_changes()
        changed, self._changed = self._changed, False
        return self._expired() or changed

    def _read_changes(self) -> None:
        """If the file has changed, read it again.

        If the file cannot be read, no token is valid, and the next call tries again.
        """
        stamp = self._file.stamp()
        if stamp == self._stamp and not self._failed:
            return
        self.exist = self.exist or stamp is not None
        try:
            self._take(self._file.read())
        except BadTokenFile as error:
            if not self._failed:
                self._take(())
                self._failed = self._changed = True
                log.error("no token is valid now: %s", error)
            return
        self._failed = False
        self._stamp, self._changed = stamp, True

    def _expired(self) -> bool:
        """Return whether any token has expired since the last call of this method."""
        now = time.time()
        before, self._looked_at = self._looked_at, now
        ends = (one.expires for one in self._principals.values() if one.expires is not None)
        return any(before < end <= now for end in ends)

    def _take(self, stored: tuple[StoredToken, ...]) -> None:
        ids = {one.id for one in stored}
        valid = [one for one in stored if not one.by or one.by in ids]
        self._by_hash = {one.sha256: one for one in valid}
        self._principals = {one.id: one.principal() for one in valid}
