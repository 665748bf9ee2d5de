"""HEAD, and paths spelt otherwise, on routes that weir serves by itself."""

import pytest

from bus.commands import SessionGet
from gateway.unknown_routes import UnknownRoutes
from tests.fakes.requester import native

ROUTES = ["/session", "/session/status", "/path", "/agent", "/config/providers", "/permission"]


@pytest.mark.parametrize("route", ROUTES)
def test_head_has_the_headers_of_get_and_no_body(route):
    client, _ = native()
    got, head = client.simulate_get(route), client.simulate_head(route)
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(got.headers)


def test_head_of_what_is_not_there_has_the_status_of_get():
    client, _ = native()
    assert client.simulate_head("/nothing").status_code == 404
    assert client.simulate_head("/session/ses_1/abort").status_code == 405


@pytest.mark.parametrize(
    "spelt",
    [
        *("/session/", "//session", "/session//", "/SESSION", "/Session/"),
        *("/./session", "/x/../session", "/../session/.", "/x\\..\\session", "/%2e/session"),
    ],
)
def test_a_list_in_any_spelling(spelt):
    client, requester = native(b"[]")
    assert client.simulate_get(spelt).status_code == 200
    assert len(requester.commands) == 1


@pytest.mark.parametrize("spelt", ["/session/ses_Ab/", "//session//ses_Ab", "/SESSION/ses_Ab"])
def test_one_of_a_kind_in_any_spelling_keeps_the_case_of_its_id(spelt):
    client, requester = native()
    assert client.simulate_get(spelt).status_code == 200
    assert requester.commands == [SessionGet("ses_Ab")]


@pytest.mark.parametrize("spelt", ["/session/status/", "//session/STATUS"])
def test_a_word_is_no_id_in_any_spelling(spelt):
    client, requester = native()
    client.simulate_get(spelt)
    assert not isinstance(requester.commands[0], SessionGet)


def test_what_is_not_there_is_counted_by_template_and_logged_once(caplog):
    caplog.set_level("INFO", "weir.gateway")
    unknown = UnknownRoutes()
    client, _ = native(unknown=unknown)
    for session in ("ses_1a", "ses_2b"):
        client.simulate_post(f"/session/{session}/knife", body="{}")
    client.simulate_get("/session/ses_1a/")
    client.simulate_delete("/config")
    assert unknown.counts == {"POST /session/{}/knife": 2, "DELETE /config": 1}
    assert [record.message.partition(":")[0] for record in caplog.records] == list(unknown.counts)
