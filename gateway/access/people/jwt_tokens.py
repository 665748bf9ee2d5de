"""Checks JWTs, and finds the person that a JWT identifies.

A valid JWT has a configured issuer, a signature by one of the issuer's keys, the configured
audience, an expiry, and the person's name. A URL of a key in its header is ignored, and its
algorithm must be one that the issuer's key allows.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import jwt
import msgspec
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWTError,
)

from gateway.access.people.file import Issuer, StoredGrants
from gateway.access.people.issuer_keys import IssuerKeys
from gateway.access.people.jwt_form import BadJwt
from gateway.access.people.people import People
from gateway.access.principal import Grant, Person, Principal

LONGEST = 16 * 1024
_MOST_KEPT = 4096
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_TYPES = ("jwt", "at+jwt", "application/at+jwt", "")
_REQUIRED = ["exp", "iss", "aud"]
_WORDS: dict[type[PyJWTError], str] = {
    ExpiredSignatureError: "it has expired",
    ImmatureSignatureError: "it is not valid yet",
    InvalidAudienceError: "its audience is another one",
    InvalidIssuerError: "its issuer is another one",
    InvalidSignatureError: "its signature is wrong",
}


class _Kept(msgspec.Struct, frozen=True):
    """The result of checking a JWT, kept so that the same JWT is not checked again.

    Attributes:
        principal: the principal of the JWT; expires with it.
        version: versions of the issuer's keys and of the grants; the result is for these only.
    """

    principal: Principal
    version: tuple[int, int]


class JwtTokens:
    """Checks JWTs.

    Args:
        issuers: the issuers that weir trusts.
        people: knows the grants of people.
        clock: returns the time in seconds since the Unix epoch.
        keys: the keys of each issuer, by the issuer's name; None: fetch them.
    """

    def __init__(
        self,
        issuers: Iterable[Issuer],
        people: People,
        clock: Callable[[], float] = time.time,
        keys: dict[str, IssuerKeys] | None = None,
    ) -> None:
        self._issuers = {one.issuer: one for one in issuers}
        self._keys = keys or {name: IssuerKeys(one) for name, one in self._issuers.items()}
        self._people = people
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def loops(self) -> list[Callable[[], None]]:
        """Return functions that fetch keys without end; the caller runs each in a greenlet."""
        return [keys.run for keys in self._keys.values()]

    def principal(self, token: str) -> Principal:
        """Return the principal of a JWT.

        Raises:
            BadJwt: the JWT is not valid.
            Refusal: the keys of the JWT's issuer could not be fetched yet (503).
        """
        if len(token) > LONGEST:
            raise BadJwt(f"it has more than {LONGEST} characters")
        if not _FORM.fullmatch(token):  # PyJWT ignores other characters
            raise BadJwt("it cannot be read")
        digest = hashlib.sha256(token.encode()).digest()
        kept = self._kept.get(digest)
        if kept is not None and self._is_fresh(kept):
            return kept.principal
        self._kept.pop(digest, None)
        name, header = _unverified(token)
        issuer = self._issuers.get(name)
        if issuer is None:
            raise BadJwt("its issuer is not one of --identities")
        algorithm = header["alg"]
        key = self._keys[name].key(header.get("kid"), algorithm)
        if key is None:
            raise BadJwt("the issuer has no key for it")
        claims = _claims(token, key, algorithm, issuer)
        principal = self._people.principal(*_person(claims, issuer))
        if principal.expires is not None and principal.expires <= self._clock():
            raise BadJwt(_WORDS[ExpiredSignatureError])
        self._kept[digest] = _Kept(principal, self._version(name))
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return principal

    def _is_fresh(self, kept: _Kept) -> bool:
        person, expires = kept.principal.person, kept.principal.expires
        assert person is not None, "the principal of a JWT is a person"
        assert expires is not None, "a JWT expires"
        return expires > self._clock() and kept.version == self._version(person.issuer)

    def _version(self, issuer: str) -> tuple[int, int]:
        return self._keys[issuer].version, self._people.version


def _unverified(token: str) -> tuple[str, dict[str, Any]]:
    """Return the issuer and the header of a JWT before its signature is checked."""
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except (PyJWTError, ValueError, RecursionError):
        raise BadJwt("it cannot be read") from None
    name, kid, kind = claims.get("iss"), header.get("kid"), header.get("typ") or ""
    if "crit" in header or not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise BadJwt("its header has a typ or a crit that weir does not know")
    if not isinstance(name, str) or not isinstance(header.get("alg"), str):
        raise BadJwt("it has no issuer or no algorithm")
    if not isinstance(kid, str | None):
        raise BadJwt("its kid is not a text")
    return name, header


def _claims(token: str, key: Any, algorithm: str, issuer: Issuer) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=issuer.skew_s,
            options={"require": _REQUIRED},
        )
    except MissingRequiredClaimError as error:
        raise BadJwt(f"it has no claim {error.claim!r}") from None
    except (PyJWTError, ValueError, TypeError, OverflowError) as error:
        words = next((said for kind, said in _WORDS.items() if isinstance(error, kind)), None)
        raise BadJwt(words or "it cannot be read") from None
    return claims


def _person(claims: dict[str, Any], issuer: Issuer) -> tuple[Person, float]:
    """Return the person that checked claims name, and when the JWT expires (Unix time, s)."""
    name, groups = claims.get(issuer.user), claims.get(issuer.groups) or ()
    if not isinstance(name, str) or not 0 < len(name) <= 256 or not name.isprintable():
        raise BadJwt(f"its claim {issuer.user!r} is not the name of a person")
    groups = (groups,) if isinstance(groups, str) else groups
    if not isinstance(groups, list | tuple) or not all(isinstance(one, str) for one in groups):
        raise BadJwt(f"its claim {issuer.groups!r} is not a list of names")
    claimed = _claimed(claims, issuer.grants)
    person = Person(name, tuple(groups), claimed, issuer.issuer)
    try:
        return person, float(claims["exp"]) + issuer.skew_s
    except OverflowError:
        raise BadJwt("its claim 'exp' is too large") from None


def _claimed(claims: dict[str, Any], name: str | None) -> tuple[Grant, ...]:
    if name is None or name not in claims:
        return ()
    try:
        return tuple(one.grant() for one in msgspec.convert(claims[name], StoredGrants))
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise BadJwt(f"its claim {name!r} has no grants: {error}") from None
