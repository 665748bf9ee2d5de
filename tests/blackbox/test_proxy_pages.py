"""Web pages that the upstream or ``--cors`` allows, and HEAD, at a gateway before an upstream."""

import pytest

from tests.blackbox.proxied import header, proxied
from tests.fakes.http_upstream import OK
from tests.processes import wait_until

LISTED, THEIRS, OTHER = "https://mine.example", "https://theirs.example", "https://other.example"
PREFLIGHT = "Access-Control-Request-Method: GET"
STREAMS = ["/event", "/global/event"]


def pages(talk):
    """Allow `THEIRS` alone, as an opencode does by its own ``--cors``."""
    while head := talk.head():
        allowed = f"Origin: {THEIRS}".lower().encode() in head.lower()
        extra = f"Access-Control-Allow-Origin: {THEIRS}\r\n".encode() if allowed else b""
        talk.say(OK.replace(b"\r\n\r\n", b"\r\n" + extra + b"\r\n"))


@pytest.fixture(scope="module")
def weir():
    with proxied("--cors", LISTED) as running:
        running.upstream.play(pages)
        yield running


def ask(weir, target, *headers, method="GET"):
    """Return the status and the head of an answer."""
    with weir.client() as client:
        client.get(target, *headers, method=method)
        head = client.head()
    return int(head[0].split()[1]), head


def allowed(head):
    return header(head, "Access-Control-Allow-Origin")


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "HEAD"])
@pytest.mark.parametrize("route", ["/global/health", "/weir/livez", "/global/event", "/weir/no"])
def test_own_routes_let_pages_in_as_the_upstream_does(weir, route, method):
    for page, expected in ((THEIRS, [THEIRS]), (LISTED, [LISTED]), (OTHER, [])):
        _, head = ask(weir, route, f"Origin: {page}", PREFLIGHT, method=method)
        assert allowed(head) == expected


def test_errors_let_pages_in_that_any_worker_has_seen_the_upstream_let_in():
    with proxied("--workers", "2") as weir:
        weir.upstream.play(pages)
        assert ask(weir, "/session", f"Origin: {THEIRS}")[0] == 200
        weir.upstream.close()

        def refused():
            return ask(weir, "/session", f"Origin: {THEIRS}", "Connection: close")

        # A worker tells the others once a second.
        wait_until(lambda: all(allowed(refused()[1]) == [THEIRS] for _ in range(10)))
        assert refused()[0] == 502
        assert allowed(ask(weir, "/session", f"Origin: {OTHER}")[1]) == []


@pytest.mark.parametrize("route", [*STREAMS, "/global/health", "/metrics", "/weir/status"])
def test_head_of_an_own_route_has_the_headers_of_get(weir, route):
    _, got = ask(weir, route)
    with weir.client() as client:
        client.get(route, method="HEAD")
        head = client.head()
        # The connection serves on, and no byte of a body comes before the next answer.
        client.get("/weir/livez")
        assert client.json()[2] == {"alive": True}
    assert head[0].split()[1] == "200"
    for name in ("Content-Type", "Cache-Control", "X-Accel-Buffering"):
        assert header(head, name) == header(got, name)


def test_head_of_a_stream_opens_none(weir):
    before = streams(weir)
    for route in STREAMS:
        assert ask(weir, route, method="HEAD")[0] == 200
    assert streams(weir) == before


def streams(weir):
    """Return how many streams there have been."""
    with weir.client() as client:
        client.get("/weir/status")
        return client.json()[2]["counts"]["streams"]
