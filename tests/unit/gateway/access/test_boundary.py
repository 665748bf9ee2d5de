"""Which folders a principal with a scope may name."""

import pytest

from gateway.access.boundary import Boundary
from gateway.access.rules import Rules
from gateway.access.whereabouts import Whereabouts
from gateway.door.request import Request
from gateway.proxy.failures import Refusal
from gateway.relay.scope import Scope
from tests.unit.gateway.access.requests import request

LINKS = {"/in/link": "/out", "/in/near": "/in/other"}
SCOPE = Scope(("/in/**",))
RULES, UPSTREAM = Rules(False), Rules(True)
ROUTES = [
    ("GET", "/file"),
    ("GET", "/file/content"),
    ("GET", "/file/status"),
    ("GET", "/find"),
    ("GET", "/find/file"),
    ("GET", "/session"),
    ("GET", "/session/status"),
    ("GET", "/vcs"),
    ("POST", "/session"),
    ("GET", "/session/ses_in"),
    ("GET", "/api/session"),
    ("GET", "/weir/search"),
    ("GET", "/event"),
]


def check(
    method: str, target: str, *headers: str, resolve=None, scope=SCOPE, rules=RULES, default="/in"
) -> Request:
    where = Whereabouts({}, {"ses_in": "/in", "ses_out": "/out"}.get)
    resolve = resolve or (lambda folder: LINKS.get(folder, folder))
    boundary = Boundary(where, lambda: default, resolve)
    one = request(method, target, *headers)
    boundary.check(one, rules.of(method, one.path), scope)
    return one


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_link_in_a_folder_of_the_scope_does_not_lead_out_of_it(method, path):
    for folder in ("/in", "/in/near"):
        check(method, f"{path}?directory={folder}")
    for folder in ("/in/link", "/in/./link/", "%252Fin%252Flink"):
        with pytest.raises(Refusal, match="not in the grants"):
            check(method, f"{path}?directory={folder}")
    with pytest.raises(Refusal, match="in the grants"):
        check(method, path, "X-Opencode-Directory: %2Fin%2Flink")


@pytest.mark.parametrize("path", ["/vcs", "/session/ses_in", "/session", "/event", "/api/session"])
def test_a_folder_header_that_is_there_twice_is_refused(path):
    """Servers join both values: two granted folders would name a third one."""
    twice = "X-Opencode-Directory: /in", "x-opencode-directory: /../in"
    with pytest.raises(Refusal, match="more than once"):
        check("GET", f"{path}?directory=/in", *twice)


@pytest.mark.parametrize(
    ("query", "search", "listing"),
    [
        ("directory=/in", True, True),
        ("session=ses_in", True, False),
        ("session=ses_in&directory=/in/near", True, True),
        ("session=ses_in&directory=", True, False),
        ("session=ses_in&directory=/out", False, False),
        ("session=ses_in&session=ses_in", False, False),
        ("session=ses_out", False, False),
        ("session=ses_out&directory=/in", False, True),
        ("session=&directory=/in", True, True),
        ("directory=/in&directory=", False, False),
        ("directory=/in&directory=/in", False, False),
        ("%64irectory=/in", True, True),
        ("Directory=/in", False, False),
        ("directory=/in&scope=project", False, False),
        ("", False, False),
    ],
)
def test_a_list_of_all_folders_needs_one_granted_session_or_folder(query, search, listing):
    for path, is_allowed in (("/weir/search", search), ("/api/session", listing)):
        if is_allowed:
            check("GET", f"{path}?{query}")
        else:
            with pytest.raises(Refusal) as refused:
                check("GET", f"{path}?{query}", "X-Opencode-Directory: /in")
            assert refused.value.status == 403


def test_a_stream_opens_although_no_server_says_where_a_link_leads():
    """Its scope filters each event; other routes have to wait for the server."""

    def nobody(_):
        raise Refusal(503, "gone")

    check("GET", "/event?directory=/in/link", resolve=nobody)
    check("GET", "/event?directory=/in/link", scope=Scope(("/in/**",), ("ses_out",)))
    with pytest.raises(Refusal) as refused:
        check("GET", "/vcs?directory=/in/link", resolve=nobody)
    assert refused.value.status == 503


def test_a_folder_that_no_system_can_have_is_refused():
    for folder in ("/in/" + 4096 * "x", "/in" + 257 * "/x"):
        with pytest.raises(Refusal, match="not in the grants"):
            check("GET", f"/vcs?directory={folder}")
    check("GET", "/vcs?directory=/in/" + 4000 * "x")


@pytest.mark.parametrize(
    ("query", "headers", "default", "folder"),
    [
        ("location[directory]=/in/near", (), "/out", ""),
        ("location%5Bdirectory%5D=%2Fin%2Fnear", (), "/out", ""),
        ("", ("X-Opencode-Directory: %2Fin%2Fnear",), "/out", "%2Fin%2Fnear"),
        ("", (), "/in", "/in"),
        ("directory=/in/near", (), "/in", "/in"),  # an opencode ignores this one here
        ("location[directory]=/in", ("X-Opencode-Directory: /in/near",), "/out", "/in/near"),
    ],
)
def test_a_location_names_a_folder_of_the_scope(query, headers, default, folder):
    for path in ("/api/agent", "/api/skill", "/api/location"):
        one = check("GET", f"{path}?{query}", *headers, rules=UPSTREAM, default=default)
        assert one.header(b"x-opencode-directory") == folder


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("location[directory]=/out", ()),
        ("location[directory]=/in/link", ()),
        ("location[directory]=/in&location[directory]=/in", ()),
        ("location[directory]=/in&location[directory]=/out", ()),
        ("location[directory]=/in&location[workspace]=wrk_1", ()),
        ("location[directory][]=/in", ()),
        ("location[directory]=", ("X-Opencode-Directory: /in",)),
        ("location=%7B%22directory%22:%22/in%22%7D", ()),
        ("location[directory]=/in", ("X-Opencode-Directory: /out",)),
        ("location[directory]=in", ()),
        ("location[directory]=%252Fin/../out", ()),
        ("directory=/in", ()),
        ("", ()),
        ("location[directory]=/in#&location[directory]=/out", ()),
    ],
)
def test_a_location_out_of_the_scope_is_refused(query, headers):
    with pytest.raises(Refusal) as refused:
        check("GET", f"/api/agent?{query}", *headers, rules=UPSTREAM, default="/out")
    assert refused.value.status == 403


@pytest.mark.parametrize("rules", [RULES, UPSTREAM])
@pytest.mark.parametrize("path", ["/vcs", "/session", "/session/ses_in", "/event"])
def test_a_query_that_servers_end_at_different_places_is_refused(rules, path):
    """An opencode reads on behind the mark, other servers do not."""
    for query in ("x=#&directory=/out", "directory=/in#", "directory=/in&x=#"):
        with pytest.raises(Refusal, match="not in the grants"):
            check("GET", f"{path}?{query}", rules=rules)
