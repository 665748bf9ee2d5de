"""The tokens of a state folder in a worker: by hash, and read again when the file changes."""

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
        self._changed = False
        self.exist = self._stamp is not None
        self._by_hash: dict[str, StoredToken] = {}
        self._principals: dict[str, Principal] = {}
        self._take(self._file.read())

    def principal(self, secret: str) -> Principal | None:
        """Return the principal of a token; None if the token is not valid.

        A token that another process has just made is valid here at once.
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
        """Make a share; return its secret, and its stored form.

        Raises:
            BadTokenFile: the file cannot be written.
        """
        return self._file.add_share(session, expires, by)

    def remove(self, which: Callable[[StoredToken], bool]) -> list[StoredToken]:
        """Revoke tokens; return the revoked ones.

        Raises:
            BadTokenFile: the file cannot be written.
        """
        gone = list(self._file.remove(which))
        self._read_changes()
        return gone

    def by_id(self, token: str) -> Principal | None:
        """Return the principal of a valid token's id."""
        found = self._principals.get(token)
        if found is None or (found.expires is not None and found.expires <= time.time()):
            return None
        return found

    def look(self) -> bool:
        """Read the file again if it has changed; return whether a token may be invalid now."""
        self._read_changes()
        changed, self._changed = self._changed, False
        return self._expired() or changed

    def _read_changes(self) -> None:
        """Read the file again if it has changed; if it is unreadable, no token is valid."""
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return
        try:
            self._take(self._file.read())
        except BadTokenFile as error:
            self._take(())
            log.error("no token is valid now: %s", error)
        self.exist = self.exist or stamp is not None
        self._stamp, self._changed = stamp, True

    def _expired(self) -> bool:
        """Return whether a token has expired since this was asked last."""
        now = time.time()
        before, self._looked_at = self._looked_at, now
        ends = (one.expires for one in self._principals.values() if one.expires is not None)
        return any(before < end <= now for end in ends)

    def _take(self, stored: tuple[StoredToken, ...]) -> None:
        ids = {one.id for one in stored}
        valid = [one for one in stored if not one.by or one.by in ids]
        self._by_hash = {one.sha256: one for one in valid}
        self._principals = {one.id: one.principal() for one in valid}
