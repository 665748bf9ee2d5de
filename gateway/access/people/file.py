"""The JSON file of ``--identities``: trusted issuers of JWTs, the grants of people and groups."""

from __future__ import annotations

import os
import stat
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from bus.origin import Origin
from bus.process.flags import BadFlag, Kind
from gateway.access.principal import Action, Grant
from gateway.relay.scope import Scope, is_glob

_MOST_BYTES = 4 * 1024 * 1024
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH
_EXTRA = "pip install 'weir-events[jwt]'"
_Name = Annotated[str, Meta(min_length=1, max_length=256)]


class StoredGrant(Struct, frozen=True, forbid_unknown_fields=True):
    """A grant as it is written in the file of ``--identities`` and in the claims of a JWT."""

    action: Literal["read", "write", "admin"]
    directories: tuple[str, ...] = ()
    sessions: tuple[_Name, ...] = ()

    def grant(self) -> Grant:
        """Convert to a `Grant`; without directories and sessions, it is for everywhere.

        Raises:
            ValueError: a directory is not an absolute path or glob.
        """
        for directory in self.directories:
            if not is_glob(directory):
                raise ValueError(f"directories: {directory!r} is not an absolute path")
        scoped = bool(self.directories or self.sessions)
        scope = Scope(self.directories, self.sessions) if scoped else None
        return Grant(Action[self.action.upper()], scope)


StoredGrants = tuple[StoredGrant, ...]


class Issuer(Struct, frozen=True, forbid_unknown_fields=True):
    """An issuer of JWTs that weir trusts.

    Attributes:
        issuer: the value of the claim ``iss``.
        audience: a value that the claim ``aud`` must contain.
        jwks: URL or absolute file path of the issuer's public keys (a JWK set); empty: weir finds
            them by OpenID discovery.
        user: name of the claim with the person's name.
        groups: name of the claim with the names of the person's groups.
        grants: name of the claim with grants in the form of `StoredGrant`; None: no such claim.
        skew_s: by how many seconds the issuer's clock may differ from this machine's clock.
    """

    issuer: _Name
    audience: _Name
    jwks: str = ""
    user: _Name = "sub"
    groups: _Name = "groups"
    grants: _Name | None = None
    skew_s: Annotated[int, Meta(ge=0, le=600)] = 60


class Identities(Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the file of ``--identities``.

    Attributes:
        issuers: the issuers of JWTs that weir trusts.
        users: grants by the name of a person, or by ``ISSUER#NAME`` (`people.keys`).
        groups: grants by the name of a group, or by ``ISSUER#NAME``.
        default: the grants of people that have no other grants.
    """

    issuers: tuple[Issuer, ...] = ()
    users: dict[_Name, StoredGrants] = {}
    groups: dict[_Name, StoredGrants] = {}
    default: StoredGrants = ()


class IdentitiesFile(Struct, frozen=True):
    """The value of ``--identities``: the path of the file, and its content at weir's start."""

    path: Path
    content: Identities

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def parse(cls, text: str) -> IdentitiesFile:
        """Return the file at the path `text`, read and checked.

        Raises:
            BadFlag: the file cannot be read, its content is wrong, or PyJWT is not installed.
        """
        path = Path(text).absolute()
        content = read(path)
        if content.issuers and (find_spec("jwt") is None or find_spec("cryptography") is None):
            raise BadFlag(f'{text!r}: "issuers" needs PyJWT: {_EXTRA}')
        names = [one.issuer for one in content.issuers]
        if len({*names}) < len(names):
            raise BadFlag(f"{text!r}: issuers: an issuer is there twice")
        for number, one in enumerate(content.issuers):
            if "#" in one.issuer:  # it ends the issuer in the ids of people
                words = f"{one.issuer!r} has a #, which no issuer may have"
                raise BadFlag(f"{text!r}: issuers[{number}].issuer: {words}")
            try:
                check_source(one.jwks or one.issuer, is_issuer=not one.jwks)
            except ValueError as error:
                raise BadFlag(f"{text!r}: issuers[{number}].{error}") from None
        return cls(path, content)


IDENTITIES = Kind(IdentitiesFile.parse, "a JSON file with issuers, users, groups and default")


def read(path: Path) -> Identities:
    """Read the file of ``--identities``.

    Raises:
        BadFlag: the file cannot be read, other users may write to it, or its content is wrong.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise BadFlag(f"{str(path)!r} cannot be read: {error.strerror}") from None
    if found.st_mode & _WRITABLE:
        raise BadFlag(f"{str(path)!r}: other users may write to it; allowed is chmod 644")
    if len(data) > _MOST_BYTES:
        raise BadFlag(f"{str(path)!r} has more than {_MOST_BYTES} bytes")
    try:
        content = msgspec.json.decode(data, type=Identities)
        for grants in (*content.users.values(), *content.groups.values(), content.default):
            _ = [one.grant() for one in grants]
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise BadFlag(f"{str(path)!r}: {error}") from None
    return content


def check_source(source: str, is_issuer: bool = False) -> tuple[Origin, str] | Path:
    """Return the location of an issuer's keys: (server, path and query) of a URL, or a file.

    Raises:
        ValueError: `source` is not an absolute path or a URL with https; http is only allowed for
            a server on this machine, and an issuer has to be a URL.
    """
    name = "issuer" if is_issuer else "jwks"
    allowed = "https://…, http:// on this machine, or the absolute path of a file"
    if source.startswith("/") and not is_issuer:
        return Path(source)
    url = urlsplit(source)
    try:
        origin = Origin.parse(f"{url.scheme}://{url.netloc}")
    except BadFlag:
        raise ValueError(f"{name}: {source!r} is not allowed; allowed is {allowed}") from None
    if origin.login is not None or (url.scheme != "https" and not origin.is_local):
        raise ValueError(f"{name}: {source!r} is not allowed; allowed is {allowed}")
    return origin, (url.path or "/") + (f"?{url.query}" if url.query else "")
