"""Generated requests at the door: none leads out of the grants, and none breaks it.

`make hostile` sends such requests over sockets (`tests/hostile/attacks/guarded_door.py`).
"""

import posixpath
from random import Random
from types import SimpleNamespace
from urllib.parse import parse_qsl, unquote

import pytest

from gateway.access.access import Access
from gateway.access.boundary import Boundary
from gateway.access.cookies import Cookies
from gateway.access.identity import Identity
from gateway.access.people.people import People
from gateway.access.people.trusted_header import TrustedHeader
from gateway.access.principal import Action
from gateway.access.rules import Place, Rules
from gateway.access.token_file import TokenFile
from gateway.access.tokens import Tokens
from gateway.access.whereabouts import Whereabouts
from gateway.cors import Cors
from gateway.door.head import parse
from gateway.door.networks import Networks
from gateway.door.request import Request
from gateway.proxy.failures import Refusal
from gateway.proxy.headers import values
from tests.hostile.door_requests import INSIDE, OUTSIDE, Target, request

SEED, COUNT = 20261128, 3000
SESSIONS = {"ses_inside": INSIDE, "ses_outside": OUTSIDE}
HEADER = b"x-opencode-directory"
FREE = (Place.PUBLIC, Place.NOWHERE, Place.STREAM, Place.ITEMS)


@pytest.mark.parametrize("has_upstream", [False, True])
def test_no_generated_request_leads_out_of_the_grants(tmp_path, has_upstream):
    file = TokenFile(tmp_path)
    tokens = [
        file.add(action.word, action, None, (f"{INSIDE}/**",))[0]
        for action in (Action.READ, Action.WRITE, Action.ADMIN)
    ]
    target = Target("ses_inside", "ses_outside", tokens, "https://id.example.org")
    rules = Rules(has_upstream)
    people = People(tmp_path / "none", True)
    access = Access(
        rules,
        Identity(None, Tokens(tmp_path), Cookies(b"key"), people=people),
        Boundary(Whereabouts({}, SESSIONS.get), lambda: OUTSIDE, lambda folder: folder),
        Networks(),
        (),
        Cors(),
        header=TrustedHeader("X-User"),
    )
    random, passed = Random(SEED), 0
    for number in range(COUNT):
        data = request(random, target, "127.0.0.1")
        one = admitted(access, data)
        if one is None or one.principal is None:
            continue
        passed += 1
        assert one.principal.name in ("read", "write", "admin"), (SEED, number, data)
        if rules.of(one.method, one.path).rule.place not in FREE:
            assert "outside" not in decoded(one.path), (SEED, number, data)
            assert folders(one, has_upstream) <= {INSIDE}, (SEED, number, data)
            assert len(values(one.headers, HEADER)) <= 1, (SEED, number, data)
    assert passed > COUNT // 50


def admitted(access: Access, data: bytes) -> Request | None:
    """Return a request that may pass; what is not HTTP is refused before.

    Raises:
        AssertionError: the refusal has a status of a failure.
    """
    head, _, rest = data.partition(b"\r\n\r\n")
    wire = SimpleNamespace(address="192.0.2.1", ahead=bytearray(rest))
    try:
        one = Request(parse(head), wire, False)
        access.admit(one, one.path)
    except Refusal as refusal:
        if refusal.status < 500 or refusal.status in (501, 505):
            return None
        raise AssertionError(data) from refusal
    return one


def decoded(text: str) -> str:
    for _ in range(4):
        text = unquote(text)
    return text


def folders(one: Request, has_upstream: bool) -> set[str]:
    """Return the folders that any server may read in a request; an opencode reads behind a #."""
    names = ("directory", "location[directory]") if has_upstream else ("directory",)
    query = one.target.decode().partition("?")[2] if has_upstream else one.query
    spelt = [value for name, value in parse_qsl(query) if name in names]
    spelt += [value.decode() for value in values(one.headers, HEADER)]
    return {posixpath.normpath(decoded(value)) for value in spelt if value}
