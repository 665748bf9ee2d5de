"""Shares are tokens of one session, and there are none where everybody may read everything."""

import time

import pytest

from gateway.access.cookies import Cookies
from gateway.access.identity import ANYBODY, Identity
from gateway.access.principal import Action, everything
from gateway.access.shares import Shares
from gateway.access.token_file import TokenFile
from gateway.access.tokens import Tokens
from gateway.proxy.failures import Refusal

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
