"""An issuer of JWTs for tests: keys, their public JWK set, and tokens of any content."""

import base64
import hashlib
import hmac
import json
from functools import cache

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

NAME, AUDIENCE, NOW = "https://id.example.org", "weir", 1_800_000_000


@cache
def rsa_key(kid: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def other_key(kind: str):
    return (
        ed25519.Ed25519PrivateKey.generate()
        if kind == "EdDSA"
        else ec.generate_private_key(
            {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}[kind]()
        )
    )


def jwk_of(key, kid: str, **more) -> dict:
    """Return the public JWK of a key."""
    public = key.public_key()
    kind = {rsa.RSAPublicKey: "RS256", ed25519.Ed25519PublicKey: "EdDSA"}
    name = next((said for one, said in kind.items() if isinstance(public, one)), "ES256")
    made = jwt.get_algorithm_by_name(name).to_jwk(public, as_dict=True)
    return {**made, "kid": kid, **more}


def jwks(*keys: dict) -> bytes:
    return json.dumps({"keys": keys}).encode()


def claims(**more) -> dict:
    said = {"iss": NAME, "aud": AUDIENCE, "sub": "alice", "exp": NOW + 600, "iat": NOW}
    return {name: value for name, value in {**said, **more}.items() if value is not None}


def token(key, kid: str | None = "k1", algorithm: str = "RS256", header=None, **more) -> str:
    """Return a signed token; a claim that is None is left out."""
    headers = {**({} if kid is None else {"kid": kid}), **(header or {})}
    return jwt.encode(claims(**more), key, algorithm, headers=headers)


def forged(header: dict, content: dict, secret: bytes | None = None) -> str:
    """Return a token without a signature, or signed with a shared secret."""
    said = ".".join(packed(json.dumps(part).encode()) for part in (header, content))
    if secret is None:
        return f"{said}."
    return f"{said}.{packed(hmac.new(secret, said.encode(), hashlib.sha256).digest())}"


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def public_forms(key) -> list[bytes]:
    """Return the public key of RSA or ECDSA in each form that may be mistaken for a secret."""
    public, shapes = key.public_key(), serialization.PublicFormat
    forms = [
        public.public_bytes(encoding, shape)
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER)
        for shape in (shapes.SubjectPublicKeyInfo, shapes.PKCS1)
        if shape is shapes.SubjectPublicKeyInfo or isinstance(public, rsa.RSAPublicKey)
    ]
    return [*forms, forms[0].strip(), json.dumps(jwk_of(key, "k1")).encode()]
