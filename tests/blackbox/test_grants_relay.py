"""Scoped tokens in front of an upstream: what reaches the upstream, and in which form."""

import http.client
import json
import re
from urllib.parse import quote, unquote, urlsplit

import pytest

from gateway.access.principal import Action
from gateway.access.rules import Place, Rules
from gateway.access.token_file import TokenFile
from gateway.own_routes import own_route
from tests.blackbox.proxied import header, headers_of, proxied
from tests.processes import DEADLINE_S
from tests.sse_client import SseClient

IN, OUT = "/srv/inside", "/srv/outside"
FOLDERS = {"ses_in": IN, "ses_out": OUT}
# An opencode lists the sessions of a whole project, whatever folder is asked for.
LISTS = {
    "/session": [{"id": name, "directory": folder} for name, folder in FOLDERS.items()],
    "/session/status": {name: {"type": "busy"} for name in FOLDERS},
    "/permission": [{"id": f"per_{name}", "sessionID": name} for name in [*FOLDERS, "ses_none"]],
    "/project": [
        {"id": "prj_ses_in", "worktree": IN, "sandboxes": [OUT, f"{IN}/tree"]},
        {"id": "prj_ses_out", "worktree": OUT, "sandboxes": []},
    ],
    "/question": [{"id": "que_1"}, "odd", {"id": "que_2", "sessionID": "ses_in"}],
}


def opencode(talk):
    """Answer as an opencode that knows two sessions."""
    while head := talk.head():
        path = head.split(b" ")[1].decode().partition("?")[0]
        talk.read(int(headers_of(head).get("content-length", 0)))
        if path in LISTS and head.startswith(b"GET"):
            body = json.dumps(LISTS[path]).encode()
            talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            continue
        if path == "/path":  # a link inside leads out
            named = unquote(headers_of(head).get("x-opencode-directory", ""))
            body = json.dumps({"directory": OUT if named == f"{IN}/link" else named}).encode()
            talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            continue
        folder = FOLDERS.get(path.split("/")[2] if path.startswith("/session/") else "")
        body = json.dumps({"directory": folder, "path": path}).encode()
        status = b"404 Not Found" if path.startswith("/session/") and folder is None else b"200 OK"
        talk.say(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """The state folder of the weir."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def weir(state):
    file = TokenFile(state)
    tokens = {
        name: file.add(name, action, None, folders, sessions)[0]
        for name, action, folders, sessions in (
            ("folder", Action.WRITE, (f"{IN}/**",), ()),
            ("reader", Action.READ, (f"{IN}/**",), ()),
            ("session", Action.READ, (), ("ses_in",)),
            ("read-all", Action.READ, (), ()),
            ("write-all", Action.WRITE, (), ()),
            ("old", Action.ADMIN, (), ()),
        )
    }
    file.remove(lambda one: one.name == "old")
    with proxied("--state", str(state), url="http://me:s3cret@127.0.0.1:{port}") as running:
        running.upstream.play(opencode)
        yield running, tokens


def ask(weir, who, target, *headers, method="GET"):
    """Return the status of an answer, and the heads that reached the upstream for it."""
    running, tokens = weir
    before = len(running.upstream.heads)
    with running.client() as client:
        client.get(target, f"Authorization: Bearer {tokens[who]}", *headers, method=method)
        status = int(client.head()[0].split()[1])
    return status, running.upstream.heads[before:]


@pytest.mark.parametrize("who", ["folder", "reader", "session"])
def test_a_session_of_the_grants_reaches_the_upstream_under_its_password_and_folder(weir, who):
    status, heads = ask(weir, who, "/session/ses_in/message?limit=5")
    assert status == 200
    sent = headers_of(heads[-1])
    assert heads[-1].startswith(b"GET /session/ses_in/message?limit=5 ")
    assert sent["authorization"].startswith("Basic ")
    assert unquote(sent["x-opencode-directory"]) == IN
    assert weir[1][who] not in heads[-1].decode()


@pytest.mark.parametrize(
    ("who", "method", "target", "headers"),
    [
        ("folder", "GET", "/session/ses_out/message", []),
        ("folder", "DELETE", "/session/ses_out", []),
        ("folder", "GET", "/session/ses_none", []),
        ("folder", "GET", f"/session/ses_in?directory={OUT}", []),
        ("folder", "GET", "/session/ses_in", [f"x-opencode-directory: {OUT}"]),
        ("folder", "GET", "/session/ses_in", ["x-opencode-directory: %2Fsrv%2Foutside"]),
        ("folder", "GET", "/session/ses_in", ["X-Opencode-Workspace: wrk_1"]),
        ("folder", "GET", "/agent", []),
        ("folder", "GET", f"/agent?x=%23&x=#&directory={OUT}", []),
        ("folder", "GET", f"/agent?directory={IN}&x=#", []),
        ("folder", "GET", f"/api/agent?directory={IN}", []),
        ("folder", "GET", f"/api/agent?location[directory]={OUT}", []),
        ("folder", "GET", f"/api/agent?location[directory]={IN}/link", []),
        ("read-all", "GET", "/x#/../global/config", []),
        ("folder", "GET", f"/agent?directory={OUT}", []),
        ("folder", "GET", f"/session?directory={OUT}", []),
        ("folder", "GET", f"/find?directory={IN}/link", []),
        ("folder", "POST", "/session", [f"x-opencode-directory: {IN}/link"]),
        ("folder", "GET", f"/session/ses_in?directory={IN}/link", []),
        ("folder", "GET", "/session/status", []),
        ("folder", "GET", f"/project?directory={OUT}", []),
        ("folder", "GET", f"/project?directory={IN}/link", []),
        ("folder", "GET", "/server/x/config", []),
        ("folder", "GET", "/lsp/session", []),
        ("session", "GET", f"/session?directory={IN}", []),
        ("folder", "GET", f"/file/content?path=a&directory={IN}", []),
        ("folder", "GET", "/pty/pty_1/connect", ["Upgrade: websocket", "Connection: upgrade"]),
        ("folder", "POST", f"/unknown?directory={IN}", []),
        ("folder", "GET", "/session/ses_out/../ses_in", []),
        ("folder", "GET", "/session/ses_in;x/message", []),
        ("reader", "DELETE", "/session/ses_in", []),
        ("reader", "POST", f"/session?directory={IN}", []),
        ("reader", "GET", f"/config?directory={IN}", []),
        ("session", "GET", f"/agent?directory={IN}", []),
        ("session", "GET", "/session/ses_out", []),
        ("read-all", "POST", "/session", []),
        ("read-all", "GET", "/config;x", []),
        ("read-all", "GET", "/global/config", []),
        ("read-all", "GET", "/pty/pty_1/connect", ["Upgrade: websocket", "Connection: upgrade"]),
        ("write-all", "POST", "/instance/dispose;x", []),
        ("write-all", "POST", "/instance/dispose", []),
        ("write-all", "PUT", "/auth/anthropic", []),
    ],
)
def test_nothing_out_of_the_grants_reaches_the_upstream(weir, who, method, target, headers):
    status, heads = ask(weir, who, target, *headers, method=method)
    assert status == 403
    # weir itself may ask for the folder of a session, and what a folder is.
    own = b"GET /session/ses_", b"GET /path "
    assert [head for head in heads if not head.startswith(own)] == []
    assert all(b"/message" not in head.split(b" ")[1] for head in heads)


def test_the_audit_says_what_the_upstream_has_answered(weir, state):
    for session, status in (("ses_in", 200), ("ses_none", 404)):
        assert ask(weir, "write-all", f"/session/{session}", method="DELETE")[0] == status
        line = json.loads((state / "audit.ndjson").read_text().splitlines()[-1])
        assert (line["who"], line["session"], line["status"]) == ("write-all", session, status)


FILTERED = (Place.LIST, Place.CHILDREN, Place.EVERYWHERE)
# What each principal may do, and whether its scope is the folder or the session.
PRINCIPALS = {
    "folder": (Action.WRITE, "folder"),
    "reader": (Action.READ, "folder"),
    "session": (Action.READ, "session"),
    "write-all": (Action.WRITE, None),
}


def cells():
    """Yield each method of each route that goes to the upstream."""
    for template, rules in Rules(True).templates.items():
        if own_route(template) is None:
            for method, rule in rules.items():
                yield method, template, rule


def passes(who, rule, template, inside):
    """Return whether a request has to reach the upstream."""
    action, scope = PRINCIPALS[who]
    if rule.place in (Place.PUBLIC, Place.NOWHERE):
        return True
    if action < rule.action:
        return False
    if scope is None:
        return True
    # No session is known of a permission or a question here.
    if rule.place is Place.SERVER or "{request}" in template or not inside:
        return False
    return scope == "folder" or rule.place in (Place.SESSION, Place.CHILDREN)


@pytest.mark.parametrize("who", PRINCIPALS)
def test_no_route_of_the_upstream_leaks(weir, who):
    running, tokens = weir
    address, count = urlsplit(running.url), 0
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=DEADLINE_S)
    for method, template, rule in cells():
        for session, folder in FOLDERS.items():
            path = re.sub("{.*?}", "x", template.replace("{session}", session))
            if rule.place in (Place.FOLDER, Place.LIST, Place.EVERYWHERE):
                path += f"?directory={folder}"
            elif rule.place is Place.LOCATION:
                path += f"?location[directory]={folder}"
            before = len(running.upstream.heads)
            connection.request(method, path, headers={"Authorization": f"Bearer {tokens[who]}"})
            answer = connection.getresponse()
            said = answer.read().decode()
            heads = [unquote(one.decode()) for one in running.upstream.heads[before:]]
            passed = [one for one in heads if one.startswith(f"{method} {path} ")]
            cell = f"{who}: {method} {path}: {answer.status} {said}"
            if passes(who, rule, template, folder == IN):
                listed = rule.place in FILTERED and PRINCIPALS[who][1]
                assert passed or listed, cell
                assert answer.status in (200, 404, 502), cell
            else:
                assert (answer.status, passed) == (403, []), cell
            if PRINCIPALS[who][1] and folder == IN:
                assert not any(OUT in one or "ses_out" in one for one in passed), cell
                assert "ses_out" not in said, cell
            count += 1
    connection.close()
    assert count > 200


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("/session/ses_in/message", {"parts": [{"type": "text", "text": "a"}]}, 200),
        (f"/session?directory={IN}", {"parentID": "ses_in"}, 200),
        (f"/session?directory={IN}", {"parentID": "ses_out"}, 403),
        (f"/session?directory={IN}", {"workspaceID": "wrk_1"}, 403),
        ("/session/ses_in/message", {"messageID": "msg_1"}, 502),  # this upstream has no messages
        ("/session/ses_in/message", {"parts": [{"sessionID": "ses_out"}]}, 403),
        ("/session/ses_in/prompt_async", [], 400),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_with_ids_of_another_session_does_not_reach_the_upstream(
    weir, target, body, status, chunked
):
    running, tokens = weir
    before = len(running.upstream.heads)
    data = json.dumps(body).encode()
    address = urlsplit(running.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=DEADLINE_S)
    headers = {"Authorization": f"Bearer {tokens['folder']}", "Content-Type": "application/json"}
    sent = iter([data[:5], data[5:]]) if chunked else data
    connection.request("POST", target, sent, headers, encode_chunked=chunked)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == status
    heads = [one for one in running.upstream.heads[before:] if one.startswith(b"POST")]
    assert len(heads) == (status == 200)
    for one in heads:
        assert headers_of(one)["content-length"] == str(len(data))
        assert "transfer-encoding" not in headers_of(one)


@pytest.mark.parametrize("target", [*(f"{route}?directory={IN}" for route in LISTS), "/project"])
def test_a_list_has_the_granted_items_only(weir, target):
    running, tokens = weir
    route = target.partition("?")[0]
    with running.client() as client:
        for who, whole in (("reader", False), ("read-all", True)):
            client.get(target, f"Authorization: Bearer {tokens[who]}")
            status, _, body = client.json()
            assert status == 200
            if whole:
                assert body == LISTS[route]
            else:
                assert len(body) == 1
                assert "ses_in" in json.dumps(body)
                assert OUT not in json.dumps(body)


@pytest.mark.parametrize("target", ["/session", "/file", "/vcs", "/config/providers"])
def test_a_token_without_folders_reaches_every_route_that_it_may(weir, target):
    assert ask(weir, "write-all", target)[0] == 200


def test_a_revoked_token_reaches_nothing(weir):
    assert ask(weir, "old", "/session")[0] == 401
    running, tokens = weir
    with running.client() as client:
        client.get("/session", f"Authorization: Bearer {tokens['old']}", "Sec-Fetch-Mode: cors")
        assert header(client.head(), "WWW-Authenticate") == ['Bearer realm="weir"']


def say(weir, session, title):
    """Publish a change of a session, as the processor does for an upstream."""
    folder = FOLDERS[session]
    info = {"id": session, "directory": folder, "title": title, "version": "1", "projectID": "p"}
    info |= {"time": {"created": 1, "updated": 1}}
    event = {"id": title, "type": "session.updated", "properties": {"info": info}}
    weir[0].gateway.source.publish([event], folder)


def stream(weir, who, target):
    """Open a stream, once the gateway can say whose folder a session has."""
    running, tokens = weir
    return SseClient(running.url + target, {"Authorization": f"Bearer {tokens[who]}"})


@pytest.mark.parametrize("kind", ["live", "resumed", "snapshot"])
@pytest.mark.parametrize("target", ["/global/event?", f"/event?directory={IN}&"])
@pytest.mark.parametrize("who", ["reader", "session"])
def test_a_stream_before_an_upstream_has_what_is_granted_and_nothing_else(weir, who, target, kind):
    """Resumed with an id of a principal that may see everything, and with an id of no server."""
    since = {"live": "now", "snapshot": "0123456789abcdef:5"}.get(kind, "")
    if kind == "resumed":
        with stream(weir, "read-all", "/global/event?since=now") as whole:
            say(weir, "ses_out", "outside-word before")
            events = iter(whole.next, None)
            since = next(event.id for event in events if b"outside-word before" in event.data)
    say(weir, "ses_out", "outside-word missed")
    say(weir, "ses_in", "inside-word missed")
    with stream(weir, who, f"{target}since={quote(since)}") as own:
        assert own.status == 200
        own.next()  # server.connected: events from here on are sent
        say(weir, "ses_out", "outside-word after")
        say(weir, "ses_in", "inside-word last")
        said = json.dumps(own.until(lambda event: "inside-word last" in json.dumps(event)))
    assert "outside" not in said
    assert "ses_out" not in said
    if kind != "live":
        assert "inside-word" in said
