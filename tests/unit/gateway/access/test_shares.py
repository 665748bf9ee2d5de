"""Shares are tokens of one session, and there are none where everybody may read everything."""

import time

import falcon
import pytest
from falcon.testing import TestClient
from msgspec import structs

from gateway.access.audit import Entry
from gateway.access.boundary import Boundary
from gateway.access.cookies import Cookies
from gateway.access.identity import ANYBODY, Identity
from gateway.access.principal import Action, Grant, Person, Principal, everything
from gateway.access.shares import Shares
from gateway.access.token_file import MOST_SHARES, MOST_SHARES_OF_ONE, BadTokenFile, TokenFile
from gateway.access.tokens import Tokens
from gateway.access.whereabouts import Whereabouts
from gateway.door.own import ENTRY, SCOPE
from gateway.proxy.failures import Refusal
from gateway.relay.scope import Scope
from gateway.resources.shares import OneShare

OWNER = everything("owner")


def identity_in(folder) -> Identity:
    return Identity(None, Tokens(folder), Cookies(b"key"))


def test_without_an_identity_there_are_no_shares_and_nobody_is_locked_out(tmp_path):
    for identity, status in ((None, 501), (identity_in(tmp_path), 409)):
        with pytest.raises(Refusal) as refused:
            Shares(identity).make("ses_1", None, ANYBODY)
        assert refused.value.status == status
        assert Shares(identity).all() == []
    assert "weir token create" in refused.value.message
    assert not identity_in(tmp_path).required


def test_a_share_reads_one_session_and_other_workers_know_it_at_once(tmp_path):
    TokenFile(tmp_path).add("first", Action.READ, None)
    here, there = identity_in(tmp_path), identity_in(tmp_path)
    secret, made = Shares(here).make("ses_1", 60, OWNER)
    principal = there.tokens.principal(secret)
    assert principal.may(Action.READ)
    assert not principal.may(Action.WRITE)
    assert principal.scope(Action.READ).sessions == ("ses_1",)
    assert [one.id for one in Shares(there).all()] == [made.id]
    assert Shares(here).revoke(lambda one: one.id == made.id)
    assert there.look()
    assert there.tokens.principal(secret) is None
    assert there.tokens.exist


def test_only_shares_are_listed_and_revoked_as_shares(tmp_path):
    secret, _ = TokenFile(tmp_path).add("first", Action.READ, None, (), ("ses_1",))
    shares = Shares(identity_in(tmp_path))
    assert shares.all() == []
    assert shares.revoke(lambda _: True) == []
    assert Tokens(tmp_path).principal(secret)


def test_shares_that_are_over_are_forgotten_when_another_is_made(tmp_path):
    file = TokenFile(tmp_path)
    file.add("first", Action.READ, None)
    for number in range(3):
        file.add_share(f"ses_{number}", time.time() - 1, "")
    shares = Shares(identity_in(tmp_path))
    assert shares.all() == []
    shares.make("ses_4", None, OWNER)
    assert [one.sessions for one in file.read()] == [(), ("ses_4",)]


def test_people_make_no_shares_since_no_token_would_end_them(tmp_path):
    file = TokenFile(tmp_path)
    file.add("first", Action.READ, None)
    alice = Person("alice", issuer="https://id.example.org")
    by = Principal("alice", (Grant(Action.WRITE),), alice.id, None, alice)
    with pytest.raises(Refusal, match="weir token create") as refused:
        Shares(identity_in(tmp_path)).make("ses_1", None, by)
    assert refused.value.status == 403
    assert len(file.read()) == 1


def test_a_token_makes_few_shares_and_takes_no_place_of_another(tmp_path):
    file = TokenFile(tmp_path)
    one, other = (file.add(name, Action.WRITE, None)[1].principal() for name in ("one", "other"))
    shares = Shares(identity_in(tmp_path))
    for number in range(MOST_SHARES_OF_ONE):
        last = shares.make(f"ses_{number}", None, one)[1]
    with pytest.raises(Refusal, match="revoke some") as refused:
        shares.make("ses_more", None, one)
    assert refused.value.status == 409
    shares.make("ses_more", None, other)
    shares.revoke(lambda share: share.id == last.id)
    shares.make("ses_more", None, one)


def test_all_shares_of_the_file_are_counted_but_those_of_a_token_that_is_gone_are_forgotten(
    tmp_path,
):
    file = TokenFile(tmp_path)
    stored = file.add("one", Action.WRITE, None)[1]
    shares = Shares(identity_in(tmp_path))
    _, made = shares.make("ses_1", None, stored.principal())

    def many(by):
        return tuple(
            structs.replace(made, id=f"{n}", sha256=f"{n}", by=by(n)) for n in range(MOST_SHARES)
        )

    makers = tuple(structs.replace(stored, id=f"by{n}", name=f"by{n}") for n in range(100))
    file._change(lambda _: (stored, *makers, *many(lambda n: f"by{n % 100}")))
    with pytest.raises(Refusal, match=str(MOST_SHARES)):
        shares.make("ses_2", None, stored.principal())
    file._change(lambda _: (stored, *many(lambda _: "gone")))
    shares.make("ses_2", None, stored.principal())
    assert len(file.read()) == 2


def test_a_share_is_revoked_while_the_server_of_another_session_does_not_answer(tmp_path):
    def ask(session):
        raise Refusal(503, f"the upstream does not say where {session} is")

    TokenFile(tmp_path).add("first", Action.READ, None)
    shares = Shares(identity_in(tmp_path))
    made = [shares.make(session, None, OWNER)[1] for session in ("ses_1", "ses_2")]
    app = falcon.App()
    boundary = Boundary(Whereabouts({}, ask), lambda: None, lambda folder: folder)
    app.add_route("/{share}", OneShare(shares, boundary))
    entry = Entry("DELETE", "/", "192.0.2.1")
    mine = {SCOPE: Scope((), ("ses_2",)), ENTRY: entry}
    assert TestClient(app).simulate_delete(f"/{made[1].id}", extras=mine).status_code == 204
    assert [one.id for one in shares.all()] == [made[0].id]
    assert entry.session == "ses_2"


def test_tokens_that_could_not_be_read_once_are_read_again_and_the_failure_is_logged_once(
    tmp_path, monkeypatch, caplog
):
    file = TokenFile(tmp_path)
    secret, _ = file.add("first", Action.READ, None)
    tokens = Tokens(tmp_path)
    file.add("second", Action.READ, None)

    def fails(_):
        raise BadTokenFile("too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(TokenFile, "read", fails)
        assert tokens.look()
        assert not tokens.look()
        assert tokens.principal(secret) is None
    assert tokens.principal(secret) is not None
    assert tokens.look()
    assert len(caplog.records) == 1
