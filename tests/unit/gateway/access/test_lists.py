"""What is asked of an upstream for its lists, and what is left of them."""

from urllib.parse import parse_qsl

import msgspec
import pytest

from gateway.access.lists import UpstreamLists
from gateway.relay.scope import Scope

FOLDERS = {"ses_a": "/in", "ses_b": "/out", "ses_c": "/in", "ses_d": "/in/near"}
SCOPE = Scope(("/in/**",))


def asked(target, status=200):
    """Return what the upstream was asked, and the ids in the answer."""
    targets = []

    def ask(target, _):
        targets.append(target)
        found = [{"id": one, "directory": where} for one, where in FOLDERS.items()]
        return status, msgspec.json.encode(found)

    answer = UpstreamLists(ask, FOLDERS.get).of(target, [], SCOPE)
    return targets[0], [one["id"] for one in msgspec.json.decode(answer)]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["ses_a", "ses_c", "ses_d"]),
        ("?limit=1", ["ses_a"]),
        ("?search=a%26b&limit=2&directory=%2Fin+x", ["ses_a", "ses_c"]),
        ("?limit=2&limit=1", ["ses_a"]),
        ("?%6Cimit=2", ["ses_a", "ses_c"]),
        ("?limit=&start=1", ["ses_a", "ses_c", "ses_d"]),
    ],
)
@pytest.mark.parametrize("path", ["/session", "/session/", "/SESSION"])
def test_sessions_outside_of_the_scope_take_no_place_of_others(path, query, ids):
    """Else a search with a limit of 1 would show whether another session has the word."""
    target, found = asked(f"{path}{query}")
    assert found == ids
    assert target.partition("?")[0] == path
    pairs = parse_qsl(target.partition("?")[2], keep_blank_values=True)
    assert ("limit", "2000") in pairs
    others = [pair for pair in parse_qsl(query[1:], keep_blank_values=True) if pair[0] != "limit"]
    assert pairs[:-1] == others


@pytest.mark.parametrize("target", ["/session?limit=a", "/session?limit=0", "/permission?limit=1"])
def test_what_is_no_limit_of_sessions_goes_to_the_upstream_as_it_is(target):
    assert asked(target) == (target, ["ses_a", "ses_c", "ses_d"])
