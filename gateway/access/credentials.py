"""Finds the credential of a request, in the first of these places that has a credential. No I/O.

1. ``Authorization``: ``Basic``, or ``Bearer`` with a token.
2. ``?auth_token=``: a token, or ``USER:PASSWORD`` in base64, as for opencode; for browsers, whose
   `EventSource` cannot send headers.
3. The cookie of the console's login.

A token is also accepted as the password of a ``Basic`` login, with any user name.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from urllib.parse import parse_qs, unquote_plus

from msgspec import Struct

from gateway.door.request import Request
from gateway.proxy.headers import Header, values

COOKIE = "weir_login"
QUERY = "auth_token"
_BASIC, _BEARER = "basic ", "bearer "


class Credential(Struct, frozen=True):
    """The credential of a request.

    Attributes:
        user: the user name of a Basic login; None for a token or a cookie.
        secret: the password or the token.
        cookie: the value of the login's cookie; then `secret` is empty.
    """

    user: str | None
    secret: str
    cookie: str = ""

    def __repr__(self) -> str:
        return f"Credential({self.user!r}, …)"


def credential_of(request: Request) -> Credential | None:
    """Return the credential of a request; None if the request has none."""
    header = request.header(b"authorization")
    if header:
        return _of_header(header)
    if request.query:
        given = parse_qs(request.query).get(QUERY, [""])[0]
        if given:
            # Base64 has plus signs, which arrive as spaces if the client has not escaped them.
            return _basic(given.replace(" ", "+")) or Credential(None, given)
    cookie = _cookie(request.headers)
    return Credential(None, "", cookie) if cookie else None


def hide_credentials(request: Request) -> None:
    """Remove the credential from a request, so that no route and no upstream gets it."""
    request.headers = _without_credentials(request.headers)
    request.target = _without_token(request.target)
    request.query = request.target.partition(b"#")[0].partition(b"?")[2].decode("ascii")


def _of_header(header: str) -> Credential:
    scheme = header.lower()
    if scheme.startswith(_BEARER):
        return Credential(None, header[len(_BEARER) :].strip())
    if scheme.startswith(_BASIC):
        return _basic(header[len(_BASIC) :]) or Credential(None, "")
    return Credential(None, "")


def _basic(given: str) -> Credential | None:
    try:
        pair = b64decode(given.strip().encode(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = pair.partition(":")
    return Credential(user, password) if colon else None


def _cookie(headers: list[Header]) -> str:
    for value in values(headers, b"cookie"):
        for pair in value.split(b";"):
            name, _, given = pair.strip().partition(b"=")
            if name.decode("latin-1") == COOKIE:
                return given.decode("latin-1")
    return ""


def _pairs_but_own(value: bytes) -> list[bytes]:
    pairs = (pair.strip() for pair in value.split(b";"))
    return [one for one in pairs if one.partition(b"=")[0].decode("latin-1") != COOKIE]


def _without_credentials(headers: list[Header]) -> list[Header]:
    kept = []
    for name, value in headers:
        low = name.lower()
        if low == b"cookie":
            value = b"; ".join(_pairs_but_own(value))
        if low != b"authorization" and (value or low != b"cookie"):
            kept.append((name, value))
    return kept


def _without_token(target: bytes) -> bytes:
    """Return the target without ``auth_token`` in its query; all other bytes are unchanged."""
    path, mark, query = target.partition(b"?")
    pairs = query.split(b"&")
    kept = [one for one in pairs if unquote_plus(one.partition(b"=")[0].decode("ascii")) != QUERY]
    if len(kept) == len(pairs):
        return target
    return path + mark + b"&".join(kept) if kept else path
