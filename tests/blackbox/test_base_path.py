"""`--base-path`: weir's own routes, those of an upstream, the console, and what is elsewhere."""

import json
from urllib.parse import urljoin

import pytest

from tests.blackbox.proxied import header, proxied
from tests.blackbox.source import MARKER
from tests.fakes.http_upstream import OK, answer
from tests.http_client import call
from tests.raw_client import RawClient
from tests.sse_client import SseClient
from tests.websocket import ASKS, SWITCHES

BASE = "/weir-app"


@pytest.fixture(scope="module")
def weir():
    with proxied("--base-path", f"{BASE}/") as running:
        yield running


def test_an_upstream_gets_what_follows_the_path_and_its_own_paths_come_back_below_it(weir):
    moved = (
        b"HTTP/1.1 303 See Other\r\nLocation: /login?next=/x\r\n"
        b"Set-Cookie: a=b; Path=/; HttpOnly\r\nLink: <http://127.0.0.1:%d/page?2>; rel=next\r\n"
        b"Content-Length: 0\r\n\r\n" % weir.upstream.port
    )
    weir.upstream.play(answer(moved))
    with weir.client() as client:
        client.get(f"{BASE}/session?x=%2Fweir-app")
        head = client.head()
    assert weir.upstream.heads[0].startswith(b"GET /session?x=%2Fweir-app HTTP/1.1\r\n")
    assert header(head, "Location") == [f"{BASE}/login?next=/x"]
    assert header(head, "Set-Cookie") == [f"a=b; Path={BASE}; HttpOnly"]
    assert header(head, "Link") == [f"<{BASE}/page?2>; rel=next"]


def test_what_is_elsewhere_is_404_with_the_path_and_reaches_no_upstream(weir):
    weir.upstream.play(answer(OK))
    for target in ("/session", "/event", "/weir/status", "/weir-apps/x", "/"):
        with weir.client() as client:
            client.get(target)
            status, _, body = client.json()
        assert (status, body["name"]) == (404, "NotFoundError")
        assert f"under {BASE}" in body["data"]["message"]
    assert weir.upstream.heads == []


def test_probes_answer_with_and_without_the_path(weir):
    for base in ("", BASE):
        with weir.client() as client:
            client.get(f"{base}/weir/livez")
            assert client.json()[0] == 200


def test_events_come_below_the_path(weir):
    with SseClient(f"{weir.url}{BASE}/global/event") as stream:
        stream.next()
        weir.gateway.source.publish([MARKER])
        assert json.loads(stream.next().data)["payload"] == MARKER


def test_a_websocket_opens_below_the_path(weir):
    def script(talk):
        talk.head()
        talk.say(SWITCHES)
        talk.say(talk.until(b"x"))

    weir.upstream.play(script)
    with weir.client() as client:
        client.get(f"{BASE}/pty/p/connect", *ASKS)
        assert "101" in client.head()[0]
        client.send(b"x")
        assert client.rest() == (b"x", "end")
    assert weir.upstream.heads[0].startswith(b"GET /pty/p/connect HTTP/1.1\r\n")


def test_the_console_is_found_from_the_path_alone_and_finds_its_files(gateway):
    url = gateway("--base-path", BASE).url
    for path in (BASE, f"{BASE}/"):
        with RawClient(url) as client:
            client.get(path)
            [location] = header(client.head(), "Location")
        assert urljoin(url + path, location) == f"{url}{BASE}/weir/console"
    with RawClient(url) as client:
        client.get(f"{BASE}/weir/console", "Connection: close")
        page = client.rest()[0].decode()
    base = page.split('<base href="')[1].split('"')[0]
    script = page.split('src="')[1].split('"')[0]
    asset = urljoin(urljoin(f"{url}{BASE}/weir/console", base), script)
    assert asset.startswith(f"{url}{BASE}/weir/console/static/")
    with RawClient(url) as client:
        client.get(asset.removeprefix(url))
        assert "200" in client.head()[0]
    assert call("GET", f"{url}{BASE}/nowhere").status == 404
