"""Requests at a door that asks for an identity, of clients that try to get past it."""

import json
import time
from collections.abc import Sequence
from random import Random
from typing import NamedTuple, TypeVar

from tests.unit.gateway.access.people.issuer import forged, other_key, packed, public_forms, token

INSIDE, OUTSIDE = "/srv/inside", "/srv/outside"
T = TypeVar("T")
_METHODS = ("GET", "GET", "GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT", "TRACE")
_ROUTES = (
    *("/session", "/session/{id}", "/session/{id}/message", "/session/{id}/children"),
    *("/session/{id}/todo", "/session/{id}/share", "/session/status", "/permission", "/question"),
    *("/file", "/file/content", "/find", "/config", "/provider", "/agent", "/path", "/project"),
    *(
        "/weir/status",
        "/weir/shares",
        "/weir/shares/1",
        "/weir/readers",
        "/weir/agents",
        "/metrics",
    ),
    *(
        "/weir/search",
        "/api/session",
        "/pty",
        "/global/config",
        "/weir/login",
        "/weir/console",
        "/",
    ),
    *("/api/agent", "/api/location", "/api/session/{id}", "/api/session/{id}/message"),
    *("/instance/dispose", "/weir/history", "/doc", "/unknown", "/weir/console/sessions/{id}"),
)
_SPELLINGS = (
    *("{path}", "{path}", "{path}", "{path}", "/{path}", "{path}/", "/.{path}", "/x/..{path}"),
    *("{path};x", "{path}%00", "{path}%2e", "{path}/.", "{path}/..", "{path}//", "http://h{path}"),
    *("{path}?", "{path}#x", "{path}%3f", "/%2e%2e{path}", "{upper}", "{escaped}", "\\{path}"),
)
_QUERIES = (
    *("", "", "", "?directory={in}", "?directory={out}", "?directory={in}&directory={out}"),
    *(
        "?directory={out}&directory={in}",
        "?directory={in}/../outside",
        "?directory={in}%2f..%2foutside",
    ),
    *("?directory=%252Fsrv%252Foutside", "?scope=project", "?workspace=w", "?path=../outside"),
    *("?directory={in}&path=..%2foutside%2fa", "?q=outside", "?auth_token=", "?auth_token=%ff"),
    *("?directory={in}&path={out}/a", "?directory=", "?Directory={out}", "?directory[]={out}"),
    *("?x=#&directory={out}", "?directory={in}#", "?location[directory]={in}"),
    *("?location[directory]={out}", "?location[directory]={in}&location%5Bdirectory]={out}"),
)
_HEADERS = (
    *("X-Opencode-Directory: {out}", "x-opencode-directory: {in}", "X_Opencode_Directory: {out}"),
    "X-Opencode-Directory: /..{in}",
    *("X-User: admin", "X_User: admin", "x-user:admin", "X-Forwarded-User: admin"),
    *("X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "X-Forwarded-Host: evil.example"),
    *(
        "X-Original-URL: /weir/status",
        "X-Rewrite-URL: /weir/status",
        "X-HTTP-Method-Override: GET",
    ),
    *("Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Cookie: weir_login=~e30.9.0"),
    *("Cookie: weir_login=.9999999999.0", "Content-Type: text/plain", "Upgrade: websocket"),
    *("Connection: close, X-User", "Connection: Authorization", "Expect: 100-continue"),
    *("Host: evil.example", "X-Opencode-Workspace: w", "Authorization: Basic Og=="),
)
_SMUGGLED = (
    ("Content-Length: 0", "GET /weir/status HTTP/1.1\r\nHost: h\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 4", "0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"),
    ("Transfer-Encoding: xchunked", "0\r\n\r\n"),
    ("Transfer-Encoding : chunked", "0\r\n\r\n"),
    ("Transfer-Encoding:\tchunked", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
    ("Content-Length: +2", "{}"),
    ("Content-Length: 2, 2", "{}"),
    ("Content-Length: 2\r\nContent-Length: 3", "{}x"),
    ("Content-Length: 2", '{"parentID":"{id}"}'),
    ("Transfer-Encoding: chunked", "2;a=\n\r\n{}\r\n0\r\n\r\n"),
)


class Target(NamedTuple):
    """What requests are about: sessions by id, and tokens of weir by their principal."""

    inside: str
    outside: str
    tokens: Sequence[str]
    issuer: str


def request(random: Random, target: Target, host: str) -> bytes:
    """Return the bytes of one request."""
    session = _often(
        random, target.inside, (target.outside, target.outside, "ses_none", "..", "%2e")
    )
    path = random.choice(_ROUTES).replace("{id}", session)
    escaped = "".join(f"%{ord(c):02x}" if random.random() < 0.1 and c != "/" else c for c in path)
    spelt = _often(random, "{path}", _SPELLINGS).format(
        path=path, upper=path.upper(), escaped=escaped
    )
    query = (
        _often(random, "?directory={in}", _QUERIES)
        .replace("{in}", INSIDE)
        .replace("{out}", OUTSIDE)
    )
    lines = [f"{random.choice(_METHODS)} {spelt}{query} HTTP/1.1", f"Host: {host}"]
    if random.random() < 0.9:
        lines.append("Connection: close")  # each further connection costs a pause of the client
    for _ in range(_often(random, 0, (0, 1, 2, 3))):
        header = random.choice(_HEADERS).replace("{in}", INSIDE).replace("{out}", OUTSIDE)
        lines.append(header)
    if random.random() < 0.9:
        lines.append(f"Authorization: {credential(random, target)}")
    framing, body = "Content-Length: 2", "{}"
    if random.random() < 0.2:
        framing, body = random.choice(_SMUGGLED)
    lines.append(framing)
    text = "\r\n".join([*lines, "", body.replace("{id}", target.outside)])
    return text.encode("utf-8", "surrogateescape")


def _often(random: Random, plain: T, others: Sequence[T]) -> T:
    """Return half of the time what an honest client sends: else hardly a request would pass."""
    return plain if random.random() < 0.5 else random.choice(others)


def credential(random: Random, target: Target) -> str:
    """Return a credential: half of them are good, the others nearly."""
    good = random.choice(target.tokens)
    match random.randrange(10):
        case 0:
            at = random.randrange(len(good))
            return f"Bearer {good[:at]}{random.choice('aA0_-')}{good[at + 1 :]}"
        case 1:
            return f"Basic {packed(f'admin:{good[:-1]}'.encode())}"
        case 2:
            return random.choice((f"Token {good}", "Bearer", f"Bearer {good}x", "Bearer weir_"))
        case 3 | 4:
            return f"Bearer {confused_jwt(random, target.issuer)}"
        case _:
            return f"Bearer {good}"


def confused_jwt(random: Random, issuer: str) -> str:
    """Return a JWT of an administrator that no issuer has made."""
    key, now = other_key("EdDSA"), int(time.time())
    said = {"iss": issuer, "aud": "weir", "sub": "admin", "exp": now + 600}
    header = {"alg": random.choice(("none", "None", "HS256", "HS512", "EdDSA", "")), "kid": "k1"}
    match random.randrange(5):
        case 0:
            return forged(header, said)
        case 1:
            secret = random.choice((b"", b"k1", json.dumps(issuer).encode()))
            return forged({**header, "alg": "HS256"}, said, secret)
        case 2:
            return forged({**header, "alg": "HS256"}, said, random.choice(public_forms(KEY)))
        case 3:
            wrong = {"aud": "other"} if random.random() < 0.5 else {"exp": now - 9999}
            return token(key, "k1", "EdDSA", **{**said, "iat": now - 99999, **wrong})
        case _:
            good = token(other_key("ES256"), "k1", "ES256", **{**said, "iat": now})
            at = random.randrange(len(good))
            return good[:at] + "A" + good[at + 1 :]


KEY = other_key("ES256")
