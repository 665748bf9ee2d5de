"""Which folders a principal with a scope may name."""

import pytest

from gateway.access.boundary import Boundary
from gateway.access.rules import Rules
from gateway.access.whereabouts import Whereabouts
from gateway.proxy.failures import Refusal
from gateway.relay.scope import Scope
from tests.unit.gateway.access.requests import request

LINKS = {"/in/link": "/out", "/in/near": "/in/other"}
SCOPE = Scope(("/in/**",))
RULES = Rules(False)
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
]


def check(method: str, target: str, *headers: str) -> None:
    where = Whereabouts({}, {"ses_in": "/in"}.get)
    boundary = Boundary(where, lambda: "/in", lambda folder: LINKS.get(folder, folder))
    one = request(method, target, *headers)
    boundary.check(one, RULES.of(method, one.path), SCOPE)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_link_in_a_folder_of_the_scope_does_not_lead_out_of_it(method, path):
    for folder in ("/in", "/in/near"):
        check(method, f"{path}?directory={folder}")
    for folder in ("/in/link", "/in/./link/", "%252Fin%252Flink"):
        with pytest.raises(Refusal, match="not in the grants"):
            check(method, f"{path}?directory={folder}")
    with pytest.raises(Refusal, match="not in the grants"):
        check(method, path, "X-Opencode-Directory: %2Fin%2Flink")


def test_a_folder_that_no_system_can_have_is_refused():
    for folder in ("/in/" + 4096 * "x", "/in" + 257 * "/x"):
        with pytest.raises(Refusal, match="not in the grants"):
            check("GET", f"/vcs?directory={folder}")
    check("GET", "/vcs?directory=/in/" + 4000 * "x")
