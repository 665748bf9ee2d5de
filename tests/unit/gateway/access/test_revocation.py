"""Whose streams and requests end, and that they are looked through only if something changed."""

import json
from types import SimpleNamespace

import pytest

from gateway.access.cookies import Cookies
from gateway.access.credentials import Credential
from gateway.access.identity import Identity
from gateway.access.people.people import People
from gateway.access.principal import Action, Person
from gateway.access.revocation import Revocation
from gateway.access.token_file import TokenFile
from gateway.access.tokens import Tokens
from gateway.proxy.failures import Refusal
from tests.fakes.open_access import open_access
from tests.unit.gateway.access.requests import request

NOW = 1_000_000.0


class Readers(list):
    """The streams of principals, and how often all were looked through."""

    def __init__(self, *principals):
        self.left, self.walks = [], 0
        super().__init__(
            SimpleNamespace(client=SimpleNamespace(principal=one), leave=self.leaves(one))
            for one in principals
        )

    def leaves(self, one):
        return lambda _cause: self.left.append(one.name)

    def __iter__(self):
        self.walks += 1
        return super().__iter__()


@pytest.fixture
def clock(monkeypatch):
    """The time of the wall, and the time since the start."""
    now = SimpleNamespace(time=NOW, monotonic=0.0)
    monkeypatch.setattr("gateway.access.identity.time.time", lambda: now.time)
    monkeypatch.setattr("gateway.access.identity.time.monotonic", lambda: now.monotonic)
    return now


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "identities.json"
    grants = {name: [{"action": "read"}] for name in ("al", "bo", "cy")}
    path.write_text(json.dumps({"users": grants}))
    return path


def test_streams_of_people_are_looked_through_only_if_something_changed(file, clock):
    identity = Identity(None, None, Cookies(b"key"), people=People(file, True))

    def login(name, expires):
        made = identity.of_person(Person(name))
        cookie = identity.cookie_for(identity._people.principal(made.person, expires))
        return identity.of_token(Credential(None, "", cookie))

    readers = Readers(login("al", None), login("bo", NOW + 10), login("cy", NOW + 20))
    revocation = Revocation(identity, readers, ())

    def look(seconds=1.0):
        clock.time += seconds
        clock.monotonic += 1.0
        revocation.look()
        return readers.walks, readers.left

    for _ in range(5):
        assert look() == (0, [])
    assert look(5.0) == (1, ["bo"])
    assert look() == (1, ["bo"])
    assert look(-100.0) == (1, ["bo"])  # the clock of the wall was set back
    assert look(120.0) == (2, ["bo", "bo", "cy"])  # the fake keeps a stream that has ended
    readers.left.clear()
    file.write_text(json.dumps({"users": {}}))
    assert look() == (3, ["al", "bo", "cy"])


def test_a_token_that_is_revoked_while_its_request_waits_is_refused(tmp_path):
    file = TokenFile(tmp_path)
    secret, _ = file.add("phone", Action.READ, None, ("/in/**",))
    identity = Identity(None, Tokens(tmp_path), Cookies(b"key"))

    def resolve(folder):
        file.remove(lambda _: True)
        identity.look()
        return folder

    access = open_access(identity, resolve=resolve)
    one = request("GET", "/vcs?directory=/in/a", f"Authorization: Bearer {secret}")
    with pytest.raises(Refusal) as refused:
        access.admit(one, one.path)
    assert refused.value.status == 401
