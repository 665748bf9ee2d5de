"""The public keys of an issuer (a JWK set). No I/O.

1. Only signatures with public keys are accepted: not the algorithm ``none``, and no shared secret
   (``HS256``).
2. A key has a list of algorithms that its signatures may use; a token only chooses among these.
3. A key is ignored if it is too short, contains its private part, or is not for signatures.
"""

from __future__ import annotations

from typing import Any

import jwt
import msgspec
from jwt.exceptions import PyJWTError

_OF_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_OF_CURVE = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
_LEAST_RSA_BITS = 2048
_MOST_KEYS = 256

Jwk = dict[str, Any]


class KeySet:
    """The usable keys of a JWK set, by key id and algorithm.

    Args:
        data: a JWK set in JSON.

    Raises:
        ValueError: the data is not a JWK set.
    """

    def __init__(self, data: bytes = b'{"keys":[]}') -> None:
        try:
            found = msgspec.json.decode(data, type=dict[str, Any]).get("keys")
        except msgspec.MsgspecError as error:
            raise ValueError(f"not a JWK set: {error}") from None
        if not isinstance(found, list):
            raise ValueError('not a JWK set: it has no list "keys"')
        self._keys: dict[tuple[str | None, str], list[Any]] = {}
        for jwk in found[:_MOST_KEYS]:
            if isinstance(jwk, dict):
                self._add(jwk)

    def key(self, kid: str | None, algorithm: str) -> Any | None:
        """Return the key for an algorithm with id `kid`; without `kid`, only if one key fits."""
        found = self._keys.get((kid, algorithm), [])
        if kid is None and len(found) > 1:
            return None
        return found[0] if found else None

    def _add(self, jwk: Jwk) -> None:
        algorithms = _algorithms(jwk)
        if not algorithms:
            return
        try:
            key = jwt.PyJWK(jwk, algorithms[0]).key
        except (PyJWTError, ValueError, TypeError):
            return
        if jwk["kty"] == "RSA" and key.key_size < _LEAST_RSA_BITS:
            return
        kid = jwk.get("kid")
        for algorithm in algorithms:
            for name in {None, kid if isinstance(kid, str) else None}:
                self._keys.setdefault((name, algorithm), []).append(key)


def _algorithms(jwk: Jwk) -> tuple[str, ...]:
    """Return the algorithms that a key's signatures may use; empty if weir ignores the key."""
    kind, curve, operations = jwk.get("kty"), jwk.get("crv"), jwk.get("key_ops")
    if jwk.get("use") not in (None, "sig") or "d" in jwk:
        return ()
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return ()
    fitting: tuple[str, ...] = ()
    if kind == "RSA":
        fitting = _OF_RSA
    elif kind == "EC" and isinstance(curve, str):
        fitting = _OF_CURVE.get(curve, ())
    elif kind == "OKP" and curve == "Ed25519":
        fitting = ("EdDSA",)
    chosen = jwk.get("alg")
    return fitting if chosen is None else tuple(one for one in fitting if one == chosen)
