"""Which web pages may call, and what they are told."""

import pytest
from falcon.testing import TestClient

from bus.transport.requester import ProcessorGone
from tests.fakes.requester import ScriptedRequester, native_app

ALLOWED = [
    "http://localhost",
    "http://localhost:3000",
    "https://localhost:4097",
    "http://127.0.0.1:5173",
    "http://[::1]:8080",
    "oc://renderer",
    "tauri://localhost",
    "http://tauri.localhost",
    "https://tauri.localhost",
    "https://opencode.ai",
    "https://app.opencode.ai",
    "https://a.b.opencode.ai",
    "https://extra.example:8443",
]
OTHERS = [
    "null",
    "",
    "https://example.com",
    "https://extra.example",
    "http://localhost.example.com",
    "http://localhost:3000.example.com",
    "http://localhost:",
    "http://127.0.0.1.example.com",
    "http://opencode.ai",
    "https://opencode.ai.example.com",
    "https://notopencode.ai",
    "https://opencode.ai:8443",
    "https://localhost\n.example.com",
    "tauri://example.com",
    "oc://renderer.example.com",
]
PREFLIGHT = {"Access-Control-Request-Method": "POST"}


def client(*answers):
    app = native_app(ScriptedRequester(*answers), origins=["https://extra.example:8443"])
    return TestClient(app)


def cors_headers(result):
    return {name for name in result.headers if name.startswith("access-control-")}


def varies(result):
    return {name.strip().lower() for name in result.headers["vary"].split(",")}


@pytest.mark.parametrize("origin", ALLOWED)
def test_an_allowed_page_may_read_answers(origin):
    result = client().simulate_get("/path", headers={"Origin": origin})
    assert result.headers["access-control-allow-origin"] == origin
    assert "origin" in varies(result)


@pytest.mark.parametrize("origin", OTHERS)
def test_other_pages_get_no_headers(origin):
    result = client().simulate_get("/path", headers={"Origin": origin})
    assert result.status_code == 200
    assert cors_headers(result) == set()
    assert "origin" in varies(result)


def test_an_answer_varies_even_without_an_origin():
    assert "origin" in varies(client().simulate_get("/path"))


@pytest.mark.parametrize("path", ["/no/such/route", "/session/ses_1"])
def test_errors_can_be_read_too(path):
    result = client(ProcessorGone("gone")).simulate_get(path, headers={"Origin": ALLOWED[0]})
    assert result.status_code in (404, 503)
    assert result.headers["access-control-allow-origin"] == ALLOWED[0]


@pytest.mark.parametrize("path", ["/session", "/session/ses_1/message", "/no/such/route"])
def test_a_preflight_is_answered_for_every_path(path):
    asked = "content-type,x-opencode-directory,last-event-id"
    headers = {"Origin": ALLOWED[1], "Access-Control-Request-Headers": asked, **PREFLIGHT}
    result = client().simulate_options(path, headers=headers)
    assert result.status_code == 204
    assert result.content == b""
    assert result.headers["access-control-allow-origin"] == ALLOWED[1]
    assert result.headers["access-control-allow-headers"] == asked
    assert int(result.headers["access-control-max-age"]) > 0
    methods = set(result.headers["access-control-allow-methods"].split(", "))
    assert {"GET", "POST", "PATCH", "DELETE"} <= methods
    assert {"origin", "access-control-request-headers"} <= varies(result)


def test_a_preflight_of_another_page_is_told_nothing():
    headers = {"Origin": "https://example.com", **PREFLIGHT}
    result = client().simulate_options("/session", headers=headers)
    assert result.status_code == 204
    assert cors_headers(result) == set()
    assert "origin" in varies(result)


def test_options_that_are_no_preflight_list_the_methods():
    result = client().simulate_options("/session")
    assert result.status_code == 200
    assert set(result.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
