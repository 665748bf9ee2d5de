"""Whose route a path is, in whatever spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.own_routes import own_route
from gateway.proxy.failures import Refusal
from gateway.proxy.target import below

OWN = ["/event", "/global/event", "/global/health", "/metrics", "/weir/readyz"]


@st.composite
def spellings(draw, path):
    """Another way to write `path` that some server reads as the same."""
    parts = []
    for segment in path.strip("/").split("/"):
        parts += draw(st.lists(st.sampled_from(["", ".", "%2e", "x/..", "x/%2E%2e"]), max_size=2))
        letters = (draw(st.sampled_from([c, c.upper(), f"%{ord(c):02x}"])) for c in segment)
        parts.append("".join(letters))
    slash = st.sampled_from(["/", "//", "\\"])
    spelled = "".join(draw(slash) + part for part in parts)
    return "/" + spelled.lstrip("/\\") + draw(st.sampled_from(["", "/"]))


@pytest.mark.parametrize("route", OWN)
@given(data=st.data())
def test_every_spelling_of_an_own_route_is_weirs(route, data):
    assert own_route(data.draw(spellings(route))) == route


@pytest.mark.parametrize(
    "path",
    ["/", "", "*", "/events", "/event/x", "/api/event", "/session/event", "/weirdo", "/%2565vent"],
)
def test_other_routes_are_the_upstreams(path):
    assert own_route(path) is None


@pytest.mark.parametrize(
    ("folder", "target", "asked"),
    [
        ("", b"/../x", b"/../x"),
        ("/oc", b"/", b"/oc/"),
        ("/oc", b"/a%2Fb?x=..", b"/oc/a%2Fb?x=.."),
        ("/oc", b"/a..b/.../%2e", b"/oc/a..b/.../%2e"),
        ("/oc", b"*", b"*"),
    ],
)
def test_a_target_goes_below_the_folder_of_the_upstream(folder, target, asked):
    assert below(folder, target) == asked


@pytest.mark.parametrize("target", [b"/..", b"/a/../../x", b"/%2e%2E/x", b"/..%2fx", b"/.%2e\\x"])
def test_a_target_does_not_lead_out_of_the_folder_of_the_upstream(target):
    with pytest.raises(Refusal, match="under /oc"):
        below("/oc", target)
