"""What a web page of another origin may not do."""

import pytest

from bus.process.login import Login
from gateway.access.access import Access
from gateway.access.cookies import Cookies
from gateway.access.identity import ANYBODY, Identity
from gateway.access.people.trusted_header import TrustedHeader
from gateway.cors import Cors
from gateway.proxy.failures import Refusal
from tests.fakes.open_access import open_access
from tests.unit.gateway.access.requests import request

EVIL, LISTED = "https://evil.example", "https://mine.example"
WRITES = [
    ("POST", "/session"),
    ("DELETE", "/session/ses_1"),
    ("PATCH", "/session/ses_1"),
    ("PUT", "/auth/anthropic"),
    ("POST", "/instance/dispose"),
    ("POST", "/weir/agents/nightly"),
    ("DELETE", "/weir/readers/0-1"),
    ("POST", "/unknown"),
    ("BREW", "/session"),
]


@pytest.fixture
def access() -> Access:
    return open_access(cors=Cors([LISTED]))


def refused(access: Access, *words: str, trusted: bool = False) -> int | None:
    """Return the status of the refusal, None if the request passes."""
    one = request(*words, trusted=trusted)
    try:
        admission = access.admit(one, one.path)
    except Refusal as refusal:
        return refusal.status
    assert admission.principal is ANYBODY
    return None


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_page_of_a_foreign_origin_may_not_write(access, method, path):
    for origin in (EVIL, "null", "https://127.0.0.1.evil.example", "http://evil.example:4097"):
        assert refused(access, method, path, f"Origin: {origin}") == 403
        json = "Content-Type: application/json"
        assert refused(access, method, path, f"origin: {origin}", json) == 403
    assert refused(access, method, path, "Sec-Fetch-Site: cross-site") == 403
    assert refused(access, method, path, "Sec-Fetch-Site: same-site") == 403


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_pages_that_may_call_and_clients_that_are_no_pages_write(access, method, path):
    for origin in (LISTED, "http://localhost:3000", "http://127.0.0.1:4097", "tauri://localhost"):
        json = ["Content-Type: application/json", "Content-Length: 2"]
        assert refused(access, method, path, f"Origin: {origin}", *json) is None
    assert refused(access, method, path) is None
    assert refused(access, method, path, "Sec-Fetch-Site: none") is None
    own = ["Host: box.local", "Origin: http://box.local"]
    assert refused(open_access(), method, path, *own) == 403  # box.local is not this machine
    own = ["Host: weir.test:80", "Origin: http://weir.test:80", "Content-Type: text/plain"]
    assert refused(access, method, path, *own) is None


def test_the_origin_of_a_page_behind_a_trusted_proxy_is_its_own(access):
    forwarded = [
        "Host: 127.0.0.1",
        "X-Forwarded-Host: chat.example",
        "Origin: https://chat.example",
    ]
    assert refused(access, "POST", "/session", *forwarded) == 403
    assert refused(access, "POST", "/session", *forwarded, trusted=True) is None


@pytest.mark.parametrize("origin", [LISTED, "http://localhost:3000"])
def test_a_page_of_another_origin_that_may_call_says_that_it_sends_json(access, origin):
    for kind in ("text/plain", "multipart/form-data", "application/x-www-form-urlencoded", ""):
        given = [f"Content-Type: {kind}"] if kind else []
        sent = [f"Origin: {origin}", "Content-Length: 2", *given]
        assert refused(access, "POST", "/session", *sent) == 415


@pytest.mark.parametrize(
    "kind",
    [
        "Content-Type: text/plain;charset=UTF-8",
        "Content-Type: multipart/form-data",
        "Content-Type: application/x-www-form-urlencoded",
        "X: y",
    ],
)
def test_a_simple_write_is_refused_from_browsers_alone(access, kind):
    """curl says that its ``-d`` is a form, and ``fetch`` of Node that a string is plain text."""
    body = "Content-Length: 2"
    assert refused(access, "POST", "/session", kind, body) is None
    assert refused(access, "POST", "/session", kind, body, "Sec-Fetch-Mode: cors") is None
    for mark in ("Sec-Fetch-Mode: no-cors", "Referer: https://evil.example/"):
        assert refused(access, "POST", "/session", kind, body, mark) == 415
    assert refused(access, "POST", "/session", kind, body, "Sec-Fetch-Site: same-origin") is None


def test_a_page_may_read_and_ask_but_not_open_a_websocket(access):
    for method in ("GET", "HEAD", "OPTIONS"):
        assert refused(access, method, "/session", f"Origin: {EVIL}") is None
    opens = ["Connection: Upgrade", "Upgrade: WebSocket"]
    assert refused(access, "GET", "/pty/pty_1/connect", *opens, f"Origin: {EVIL}") == 403
    assert refused(access, "GET", "/pty/pty_1/connect", *opens, f"Origin: {LISTED}") is None
    assert refused(access, "GET", "/pty/pty_1/connect", *opens) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:4097", "EVIL.example.", "127.0.0.1.evil.example", "a.b"]
)
@pytest.mark.parametrize("route", [("GET", "/session"), ("GET", "/event"), ("GET", "/weir/livez")])
def test_a_page_that_rebinds_its_name_gets_nothing(access, host, route):
    assert refused(access, *route, f"Host: {host}") == 403


@pytest.mark.parametrize(
    "host",
    [
        *("localhost:4097", "127.0.0.1", "127.8.8.8:1", "[::1]:4097", "[::ffff:10.0.0.1]"),
        *("weir", "x.localhost", "WEIR.TEST:4097", "10.1.2.3", ""),
    ],
)
def test_names_of_this_machine_and_addresses_are_served(access, host):
    assert refused(access, "GET", "/session", f"Host: {host}") is None


def test_a_preflight_passes_without_what_says_who_sends_it():
    identity = Identity(Login("me", "s3cret"), None, Cookies(b"key"))
    access = open_access(identity, header=TrustedHeader("X-User"))
    asks = "Access-Control-Request-Method: POST"
    sent = ["X-User: admin", "X_User: admin", "Authorization: Bearer weir_x"]
    one = request("OPTIONS", "/session?auth_token=abc&x=1", asks, *sent)
    assert access.admit(one, one.path).principal is None
    assert {name.lower() for name, _ in one.headers} == {
        b"host",
        asks.split(":")[0].lower().encode(),
    }
    assert one.target == b"/session?x=1"
