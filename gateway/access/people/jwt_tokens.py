"""Finds the person of a JWT.

A token has to have an issuer that is configured, a signature of one of the issuer's keys, the
audience, an expiry, and a name. Its header chooses no key by address, and no algorithm that the
key does not have.
"""

from __future__ import annotations

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
    """A token that was checked: until when, and against which keys and grants."""

    principal: Principal
    version: tuple[int, int]


class JwtTokens:
    """Checks JWTs.

    Args:
        issuers: that count.
        people: knows what people may do.
        clock: seconds since the Unix epoch.
        keys: of the issuers, by name; None: make them.
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
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def loops(self) -> list[Callable[[], None]]:
        """Return what has to run in a greenlet of its own."""
        return [keys.run for keys in self._keys.values()]

    def principal(self, token: str) -> Principal:
        """Return the principal of a token.

        Raises:
            BadJwt: the token is not valid.
            Refusal: the keys of the issuer could not be fetched yet.
        """
        kept = self._kept.get(token)
        if kept is not None and self._is_fresh(kept):
            return kept.principal
        self._kept.pop(token, None)
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
        self._kept[token] = _Kept(principal, self._version(name))
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
    """Return the issuer and the header that a token claims to have."""
    if len(token) > LONGEST:
        raise BadJwt(f"it has more than {LONGEST} characters")
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
    """Return the person of checked claims, and when the token is over."""
    name, groups = claims.get(issuer.user), claims.get(issuer.groups) or ()
    if not isinstance(name, str) or not 0 < len(name) <= 256 or not name.isprintable():
        raise BadJwt(f"its claim {issuer.user!r} is not the name of a person")
    groups = (groups,) if isinstance(groups, str) else groups
    if not isinstance(groups, list | tuple) or not all(isinstance(one, str) for one in groups):
        raise BadJwt(f"its claim {issuer.groups!r} is not a list of names")
    claimed = _claimed(claims, issuer.grants)
    person = Person(name, tuple(groups), claimed, issuer.issuer)
    return person, float(claims["exp"]) + issuer.skew_s


def _claimed(claims: dict[str, Any], name: str | None) -> tuple[Grant, ...]:
    if name is None or name not in claims:
        return ()
    try:
        return tuple(one.grant() for one in msgspec.convert(claims[name], StoredGrants))
    except ValueError as error:  # msgspec.ValidationError is one
        raise BadJwt(f"its claim {name!r} has no grants: {error}") from None
