"""Share links: made, listed and revoked over HTTP, with the grants of a token."""

import json
import time

import pytest

from gateway.access.principal import Action
from tests.blackbox.token_server import HERE, THERE, token_server
from tests.processes import wait_until
from tests.sse_client import SseClient


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with token_server(tmp_path_factory.mktemp("tokens")) as shared:
        yield shared


def test_a_share_reads_its_session_and_nothing_else_until_it_is_revoked(served):
    session, other = served.session(HERE), served.session(HERE)
    made = served.share(served.owner, session).body
    token = made["token"]
    assert made["url"] == f"{served.up.url}/weir/console/sessions/{session}#token={token}"
    assert 6.9 * 86400 < made["expires"] - time.time() < 7.1 * 86400
    for _ in range(4):  # both workers know it at once
        assert served.call(token, "GET", f"/session/{session}/message").status == 200
        assert served.call(token, "GET", f"/session/{other}").status == 403
    for path, body in (("/abort", {}), ("/message", {"parts": []}), ("/share", {})):
        assert served.call(token, "POST", f"/session/{session}{path}", body).status == 403
    assert served.share(token, session).status == 403
    assert served.call(token, "GET", "/weir/status").status == 403
    login = {"Authorization": f"Bearer {token}"}
    with SseClient(f"{served.up.url}/global/event", login) as stream:
        assert stream.status == 200
        served.call(served.owner, "PATCH", f"/session/{other}", {"title": "hidden"})
        served.call(served.owner, "PATCH", f"/session/{session}", {"title": "shown"})
        got = stream.until(lambda event: "shown" in str(event))
        assert other not in str(got)
        assert served.call(served.owner, "DELETE", f"/weir/shares/{made['id']}").status == 204
        with pytest.raises((EOFError, OSError)):
            stream.until(lambda _: False)
    wait_until(lambda: served.call(token, "GET", f"/session/{session}").status == 401)
    assert served.call(served.owner, "DELETE", f"/weir/shares/{made['id']}").status == 404


def test_a_scoped_token_shares_and_sees_the_shares_of_its_folders_only(served):
    mine, foreign = served.session(HERE), served.session(THERE)
    own = served.share(served.writer, mine)
    assert own.status == 200
    theirs = served.share(served.owner, foreign).body["id"]
    assert served.share(served.writer, foreign).status == 403
    assert served.share(served.writer, "ses_none").status == 403
    assert served.share(served.owner, "ses_none").status == 404
    assert served.share(served.reader, mine).status == 403
    assert own.body["id"] in served.listed(served.writer)
    assert theirs not in served.listed(served.writer)
    assert {theirs, own.body["id"]} <= served.listed(served.owner)
    assert served.call(served.writer, "DELETE", f"/weir/shares/{theirs}").status == 404
    assert theirs in served.listed(served.owner)
    assert "token" not in str(served.call(served.owner, "GET", "/weir/shares").body)


def test_a_share_ends_with_the_token_that_made_it(served):
    session = served.session(HERE)
    brief, stored = served.tokens.add("brief", Action.WRITE, time.time() + 3600, (HERE,))
    made = served.share(brief, session, expires="30d").body
    assert made["expires"] <= stored.expires
    assert served.call(made["token"], "GET", f"/session/{session}").status == 200
    served.tokens.remove(lambda one: one.name == "brief")
    wait_until(lambda: served.call(made["token"], "GET", f"/session/{session}").status == 401)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "session"),
        ({"session": "a", "expires": "soon"}, "expires"),
        ({"session": 1}, "session"),
        ({"session": "ses_1?directory=/srv"}, "session"),
        ({"session": "../ses_1"}, "session"),
        ({"session": "ses_1\n"}, "session"),
        ({"session": "s" * 129}, "session"),
    ],
)
def test_a_wrong_share_is_refused_with_its_field(served, body, field):
    refused = served.call(served.owner, "POST", "/weir/shares", body)
    assert refused.status == 400
    assert field in refused.body["data"]["message"]


def test_the_audit_says_what_was_answered_and_to_whom(served):
    mine, foreign = served.session(HERE), served.session(THERE)
    one = served.share(served.writer, mine).body["id"]
    assert served.share(served.writer, foreign).status == 403
    for who, status in ((served.writer, 204), (served.writer, 404)):
        assert served.call(who, "DELETE", f"/weir/shares/{one}").status == status
    assert served.call(served.owner, "PATCH", "/session/ses_none", {"title": "a"}).status == 404
    assert served.call(served.reader, "POST", "/weir/login", {"token": "weir_no"}).status == 401
    assert served.call("no", "POST", "/weir/login", {"token": served.writer}).status == 200
    assert served.call(served.writer, "GET", f"/weir/search?q=a&session={foreign}").status == 403
    state = served.up.running.log.parent / "state"
    lines = [json.loads(line) for line in (state / "audit.ndjson").read_text().splitlines()]
    names = ("who", "method", "session", "status")
    assert [tuple(one.get(name) for name in names) for one in lines[-8:]] == [
        ("writer", "POST", mine, 200),
        ("writer", "POST", foreign, 403),
        ("writer", "DELETE", mine, 204),
        ("writer", "DELETE", None, 404),
        ("owner", "PATCH", "ses_none", 404),
        ("", "POST", None, 401),
        ("writer", "POST", None, 200),
        ("writer", "GET", None, 403),
    ]


def test_opencodes_own_route_answers_with_the_link_and_takes_it_back(served):
    session = served.session(HERE)
    shared = served.call(served.owner, "POST", f"/session/{session}/share").body
    assert shared["id"] == session
    token = shared["share"]["url"].partition("#token=")[2]
    assert served.call(token, "GET", f"/session/{session}").body.get("share") is None
    assert "share" not in served.call(served.owner, "DELETE", f"/session/{session}/share").body
    wait_until(lambda: served.call(token, "GET", f"/session/{session}").status == 401)
    assert served.call(served.owner, "POST", "/session/ses_none/share").status == 404
