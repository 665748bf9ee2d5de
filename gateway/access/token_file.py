"""``tokens.json`` in the state folder: the hashes and grants of weir's tokens.

Only the file's owner may read it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from bus.process.entry import CannotStart
from gateway.access.principal import Action, Grant, Principal
from gateway.relay.scope import Scope

NAME = "tokens.json"
_LOCK = "tokens.lock"
MOST_SHARES = 1000
MOST_SHARES_OF_ONE = 50
PREFIX = "weir_"
_SECRET_BYTES = 32
_ROOT = 0

Stamp = tuple[int, int, int, int]


class BadTokenFile(CannotStart):
    """``tokens.json`` cannot be read, written or trusted; the message gives the reason."""


class NameTaken(Exception):
    """A token with this name already exists."""


class TooManyShares(Exception):
    """There are too many shares; the message says how many are allowed."""


class StoredToken(Struct, frozen=True, omit_defaults=True):
    """A token in the form in which it is stored, without its secret text.

    Attributes:
        id: identifies the token; not secret.
        name: the name that a person has chosen.
        sha256: hash of the token's text, in hex. The text has 256 random bits, so a slow hash, as
            for passwords, is not needed.
        action: the greatest action that the token allows: read, write or admin.
        created: when the token was made, in seconds since the Unix epoch.
        expires: when the token expires, in seconds since the Unix epoch; None: never.
        directories: globs of the folders in which the token is valid; without directories and
            sessions, it is valid everywhere.
        sessions: ids of the sessions in which the token is valid.
        shared: the token is a share, with which one session can be read.
        by: id of the token that made this share; empty if the server's login made it, and for a
            token that is not a share.
    """

    id: str
    name: str
    sha256: str
    action: str
    created: float
    expires: float | None = None
    directories: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    shared: bool = False
    by: str = ""

    def principal(self) -> Principal:
        """Return the principal of the token."""
        scoped = bool(self.directories or self.sessions)
        scope = Scope(self.directories, self.sessions) if scoped else None
        grant = Grant(Action[self.action.upper()], scope)
        return Principal(self.name, (grant,), self.id, self.expires)

    def is_over(self, now: float) -> bool:
        """Return whether the token has expired."""
        return self.expires is not None and self.expires <= now


class _Content(Struct):
    tokens: tuple[StoredToken, ...] = ()


_decode = msgspec.json.Decoder(_Content).decode


def hash_of(secret: str) -> str:
    """Return the hash of a token's text (`StoredToken.sha256`)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(_SECRET_BYTES)


def _new_id() -> str:
    return secrets.token_hex(6)


class TokenFile:
    """Reads and writes ``tokens.json`` in a state folder.

    Args:
        folder: the state folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / NAME

    def stamp(self) -> Stamp | None:
        """Return a value that changes whenever the file changes; None if the file is missing."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size, found.st_ctime_ns

    def read(self) -> tuple[StoredToken, ...]:
        """Return all tokens, including expired ones.

        Raises:
            BadTokenFile: the file cannot be read, or other users may read or write it.
        """
        try:
            opened = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise BadTokenFile(f"{str(self._path)!r} cannot be read: {error.strerror}") from error
        with open(opened, "rb") as file:
            self._check(os.fstat(opened))
            try:
                content = _decode(file.read())
                _ = [one.principal() for one in content.tokens]
            except (msgspec.MsgspecError, KeyError) as error:
                raise BadTokenFile(f"{str(self._path)!r} is damaged: {error}") from error
        return content.tokens

    def add(
        self,
        name: str,
        action: Action,
        expires: float | None,
        directories: tuple[str, ...] = (),
        sessions: tuple[str, ...] = (),
    ) -> tuple[str, StoredToken]:
        """Create a token; return its secret text, which is not stored, and its stored form.

        Raises:
            NameTaken: a token with this name already exists.
            BadTokenFile: the file cannot be read or written.
        """
        secret = _new_secret()
        made = StoredToken(
            _new_id(),
            name,
            hash_of(secret),
            action.word,
            time.time(),
            expires,
            directories,
            sessions,
        )

        def with_made(tokens: tuple[StoredToken, ...]) -> tuple[StoredToken, ...]:
            if any(one.name == name for one in tokens):
                raise NameTaken(name)
            return *tokens, made

        self._change(with_made)
        return secret, made

    def add_share(self, session: str, expires: float | None, by: str) -> tuple[str, StoredToken]:
        """Create a token that reads one session; delete all shares that are not valid any more.

        Raises:
            TooManyShares: there are `MOST_SHARES`, or `MOST_SHARES_OF_ONE` of `by`.
            BadTokenFile: the file cannot be read or written.
        """
        secret, now, made_id = _new_secret(), time.time(), _new_id()
        made = StoredToken(
            made_id,
            f"share-{made_id}",
            hash_of(secret),
            Action.READ.word,
            now,
            expires,
            sessions=(session,),
            shared=True,
            by=by,
        )

        def with_made(tokens: tuple[StoredToken, ...]) -> tuple[StoredToken, ...]:
            ids = {"", *(one.id for one in tokens)}
            kept = [
                one for one in tokens if not one.shared or (one.by in ids and not one.is_over(now))
            ]
            makers = [one.by for one in kept if one.shared]
            if makers.count(by) >= MOST_SHARES_OF_ONE:
                raise TooManyShares(f"this token has made {MOST_SHARES_OF_ONE} shares already")
            if len(makers) >= MOST_SHARES:
                raise TooManyShares(f"there are {MOST_SHARES} shares already")
            return *kept, made

        self._change(with_made)
        return secret, made

    def remove(self, which: Callable[[StoredToken], bool]) -> tuple[StoredToken, ...]:
        """Remove all tokens for which `which` returns True; return the removed tokens.

        Raises:
            BadTokenFile: the file cannot be read or written.
        """
        gone: list[StoredToken] = []

        def rest(tokens: tuple[StoredToken, ...]) -> tuple[StoredToken, ...]:
            gone.extend(filter(which, tokens))
            return tuple(one for one in tokens if one not in gone)

        self._change(rest)
        return tuple(gone)

    def _change(
        self, change: Callable[[tuple[StoredToken, ...]], tuple[StoredToken, ...]]
    ) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            lock = os.open(self._folder / _LOCK, flags, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._write(msgspec.json.encode(_Content(change(self.read()))))
            finally:
                os.close(lock)
        except OSError as error:
            what = str(error.filename or self._path)
            raise BadTokenFile(f"{what!r} cannot be written: {error.strerror}") from error

    def _write(self, data: bytes) -> None:
        """Write a new file and rename it, so that a worker never reads half a file."""
        fresh = self._folder / f"{NAME}.{os.getpid()}.new"
        opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(opened, "wb") as file:
            if os.geteuid() == _ROOT:  # the gateway may run as the folder's owner
                owner = self._folder.stat()
                os.fchown(opened, owner.st_uid, owner.st_gid)
            file.write(data)
            file.flush()
            os.fsync(opened)
        os.replace(fresh, self._path)

    def _check(self, found: os.stat_result) -> None:
        if found.st_uid not in (os.geteuid(), _ROOT, self._folder.stat().st_uid):
            raise BadTokenFile(f"{str(self._path)!r} belongs to another user (uid {found.st_uid})")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise BadTokenFile(
                f"{str(self._path)!r}: other users may use it; remove that right with chmod 600"
            )
