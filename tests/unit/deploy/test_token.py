"""`weir token`: what it takes, what it keeps, and what it shows."""

import io
import stat
import time

import pytest

from bus.process.flags import BadFlag
from deploy import token
from gateway.access.principal import Action
from gateway.access.token_file import BadTokenFile, TokenFile
from gateway.access.tokens import Tokens


def weir_token(state, *words: str) -> str:
    out = io.StringIO()
    assert token.run(token.read([*words, "--state", str(state)], {}), out) == 0
    return out.getvalue()


def test_a_token_is_shown_once_and_kept_as_a_hash_for_the_owner_alone(tmp_path, capsys):
    state = tmp_path / "state"
    secret = weir_token(state, "create", "phone", "--directory", "/srv/a/**", "--write").strip()
    assert len(secret) >= 43
    file = state / "tokens.json"
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in weir_token(state, "list")
    principal = Tokens(state).principal(secret)
    assert (principal.name, principal.may(Action.ADMIN)) == ("phone", False)
    scope = principal.scope(Action.WRITE)
    assert scope.has_folder("/srv/a/b")
    assert not scope.has_folder("/srv/ab")
    assert 29 * 86400 < principal.expires - time.time() < 31 * 86400
    assert "phone" in capsys.readouterr().err


def test_a_revoked_token_is_gone_and_an_identity_is_asked_for_all_the_same(tmp_path):
    secret = weir_token(tmp_path, "create", "phone").strip()
    tokens = Tokens(tmp_path)
    assert tokens.principal(secret)
    assert "phone" in weir_token(tmp_path, "revoke", "phone")
    assert tokens.look()
    assert tokens.principal(secret) is None
    assert tokens.exist
    assert Tokens(tmp_path).exist
    (tmp_path / "tokens.json").unlink()
    assert tokens.look()
    assert tokens.exist
    with pytest.raises(BadFlag, match="no token of this name"):
        weir_token(tmp_path, "revoke", "phone")


def test_a_token_that_expires_is_noticed(tmp_path, monkeypatch):
    expires = time.time() + 3600
    secret, _ = TokenFile(tmp_path).add("brief", Action.READ, expires)
    tokens = Tokens(tmp_path)
    assert not tokens.look()
    assert tokens.principal(secret)
    monkeypatch.setattr(time, "time", lambda: expires)
    assert tokens.principal(secret) is None
    assert tokens.look()


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"tokens":[{"id":"a"}]}'])
def test_a_damaged_file_makes_no_token_valid_and_is_refused_at_the_start(tmp_path, content):
    secret = weir_token(tmp_path, "create", "phone").strip()
    tokens = Tokens(tmp_path)
    (tmp_path / "tokens.json").write_bytes(content)
    assert tokens.look()
    assert tokens.principal(secret) is None
    assert tokens.exist
    with pytest.raises(BadTokenFile, match="damaged"):
        Tokens(tmp_path)


def test_a_file_that_others_may_read_is_refused(tmp_path):
    secret = weir_token(tmp_path, "create", "phone").strip()
    tokens = Tokens(tmp_path)
    (tmp_path / "tokens.json").chmod(0o640)
    assert tokens.look()
    assert tokens.principal(secret) is None
    with pytest.raises(BadTokenFile, match="chmod 600"):
        Tokens(tmp_path)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "'' is not allowed; allowed are create, list, revoke"),
        (["make", "x"], "'make' is not allowed"),
        (["create"], "'' is not the name of a token"),
        (["create", "a b"], "'a b' is not the name"),
        (["revoke"], "'' is not the name"),
        (["create", "x", "--directory", "srv"], "--directory: 'srv' is not allowed"),
        (["create", "x", "--directory", "/srv/../etc"], "--directory: '/srv/../etc'"),
        (["create", "x", "--expires", "30"], "--expires: '30' is not allowed"),
        (["create", "x", "--expires", "99999d"], "--expires: '99999d' is not allowed"),
        (["create", "x", "--session", "a/b"], "--session: 'a/b' is not allowed"),
        (["list", "--read"], "--read: unknown"),
    ],
)
def test_what_is_not_allowed_is_named(tmp_path, words, named):
    with pytest.raises(BadFlag) as refused:
        token.read([*words, "--state", str(tmp_path)] if words else [], {"HOME": str(tmp_path)})
    assert str(refused.value).startswith(named)


def test_a_name_is_given_once(tmp_path):
    weir_token(tmp_path, "create", "phone")
    with pytest.raises(BadFlag, match="revoke it first"):
        weir_token(tmp_path, "create", "phone")
