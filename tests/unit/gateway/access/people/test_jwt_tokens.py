"""JWTs that count, and every way in which one is wrong."""

import gevent
import msgspec
import pytest
from gevent.event import Event

from gateway.access.people.file import Identities, Issuer, StoredGrant
from gateway.access.people.issuer_keys import IssuerKeys
from gateway.access.people.jwt_form import BadJwt
from gateway.access.people.jwt_tokens import LONGEST, JwtTokens
from gateway.access.people.people import People
from gateway.access.principal import Action
from gateway.proxy.failures import Refusal
from tests.unit.gateway.access.people.issuer import (
    AUDIENCE,
    NAME,
    NOW,
    claims,
    forged,
    jwk_of,
    jwks,
    other_key,
    public_forms,
    rsa_key,
    token,
)

READ_ALL = (StoredGrant("read"),)


@pytest.fixture
def served(monkeypatch):
    """The keys that the issuer serves, and how often it was asked."""
    monkeypatch.setattr("gateway.access.people.issuer_keys.WAIT_S", 0.05)
    monkeypatch.setattr("jwt.api_jwt.datetime", FixedClock)
    return {"data": jwks(jwk_of(rsa_key("k1"), "k1")), "asked": 0, "status": 200}


class FixedClock:
    """Stands for `datetime.datetime` in PyJWT."""

    @staticmethod
    def now(tz=None):
        return FixedClock

    @staticmethod
    def timestamp():
        return float(NOW)


def tokens_of(tmp_path, served, **more) -> JwtTokens:
    issuer = Issuer(NAME, AUDIENCE, jwks="https://id.example.org/keys", **more)
    path = tmp_path / "identities.json"
    content = Identities((issuer,), {"alice": READ_ALL}, {"dev": (StoredGrant("admin"),)})
    path.write_bytes(msgspec.json.encode(content))
    people = People(path, False)

    def ask(_origin, _route):
        served["asked"] += 1
        return served["status"], served["data"]

    keys = IssuerKeys(issuer, ask)
    keys.fetch()
    return JwtTokens((issuer,), people, lambda: float(NOW), {NAME: keys})


def test_a_token_is_the_person_with_the_grants_of_the_file(tmp_path, served):
    jwts = tokens_of(tmp_path, served)
    found = jwts.principal(token(rsa_key("k1")))
    assert (found.name, found.expires) == ("alice", NOW + 660)
    assert found.may(Action.READ)
    assert not found.may(Action.WRITE)
    assert jwts.principal(token(rsa_key("k1"), groups=["dev"])).may(Action.ADMIN)
    assert jwts.principal(token(rsa_key("k1"), groups="dev")).may(Action.ADMIN)
    assert jwts.principal(token(rsa_key("k1"), sub="bob")).grants == ()
    assert jwts.principal(token(rsa_key("k1"), aud=["other", AUDIENCE])).name == "alice"
    assert jwts.principal(token(rsa_key("k1"), kid=None)).name == "alice"


@pytest.mark.parametrize("kind", ["ES256", "ES384", "ES512", "EdDSA"])
def test_other_kinds_of_keys_count(tmp_path, served, kind):
    served["data"] = jwks(jwk_of(other_key(kind), "k2"))
    jwts = tokens_of(tmp_path, served)
    assert jwts.principal(token(other_key(kind), "k2", kind)).name == "alice"


def test_grants_in_a_claim_count_only_if_the_file_says_so(tmp_path, served):
    given = [{"action": "write", "directories": ["/srv/a/**"]}]
    said = token(rsa_key("k1"), sub="bob", weir=given)
    assert tokens_of(tmp_path, served).principal(said).grants == ()
    scope = tokens_of(tmp_path, served, grants="weir").principal(said).scope(Action.WRITE)
    assert scope.directories == ("/srv/a/**",)
    for wrong in ("admin", [{"action": "all"}], [{"action": "read", "directories": ["a"]}]):
        with pytest.raises(BadJwt, match="weir"):
            tokens_of(tmp_path, served, grants="weir").principal(token(rsa_key("k1"), weir=wrong))


WRONG = {
    "expired": ({"exp": NOW - 61}, "expired"),
    "expiry of a huge number": ({"exp": 10**400}, "exp"),
    "no expiry": ({"exp": None}, "exp"),
    "expiry that is no number": ({"exp": "soon"}, "read"),
    "not yet": ({"nbf": NOW + 61}, "not valid yet"),
    "of the future": ({"iat": NOW + 61}, "not valid yet"),
    "other audience": ({"aud": "other"}, "audience"),
    "no audience": ({"aud": None}, "aud"),
    "other issuer": ({"iss": "https://evil.example"}, "issuer"),
    "issuer with a slash": ({"iss": NAME + "/"}, "issuer"),
    "no name": ({"sub": None}, "sub"),
    "empty name": ({"sub": ""}, "sub"),
    "control characters": ({"sub": "a\nb"}, "sub"),
    "groups that are no names": ({"groups": [1]}, "groups"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_claims_are_refused_with_the_reason(tmp_path, served, case):
    more, words = WRONG[case]
    with pytest.raises(BadJwt, match=words):
        tokens_of(tmp_path, served).principal(token(rsa_key("k1"), **more))


def test_the_clock_of_the_issuer_may_differ_a_little(tmp_path, served):
    jwts = tokens_of(tmp_path, served)
    assert jwts.principal(token(rsa_key("k1"), exp=NOW - 59)).name == "alice"
    assert jwts.principal(token(rsa_key("k1"), nbf=NOW + 59, iat=NOW + 59)).name == "alice"


def test_no_algorithm_is_taken_that_the_key_does_not_have(tmp_path, served):
    jwts = tokens_of(tmp_path, served)
    for algorithm in ("none", "None", "nOnE", "", "HS256", "HS512", "ES256", "RS1", "EdDSA"):
        for kid in ({"kid": "k1"}, {}):
            with pytest.raises(BadJwt):
                jwts.principal(forged({"alg": algorithm, "typ": "JWT", **kid}, claims()))
    for secret in (*public_forms(rsa_key("k1")), b""):
        with pytest.raises(BadJwt):
            jwts.principal(forged({"alg": "HS256", "kid": "k1"}, claims(), secret))


def test_a_key_with_a_stated_algorithm_takes_no_other(tmp_path, served):
    served["data"] = jwks(jwk_of(rsa_key("k1"), "k1", alg="PS256"))
    jwts = tokens_of(tmp_path, served)
    assert jwts.principal(token(rsa_key("k1"), algorithm="PS256")).name == "alice"
    with pytest.raises(BadJwt, match="key"):
        jwts.principal(token(rsa_key("k1")))


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "kid": "k1", "k": "c2VjcmV0"},
        jwk_of(rsa_key("k1"), "k1", use="enc"),
        jwk_of(rsa_key("k1"), "k1", key_ops=["encrypt"]),
        jwk_of(rsa_key("k1"), "k1", d="AQAB"),
        jwk_of(rsa_key("weak", 1024), "k1"),
        {"kty": "RSA", "kid": "k1"},
        {"kty": "EC", "crv": "secp256k1", "kid": "k1"},
        {"kty": ["RSA"], "kid": {}},
    ],
)
def test_a_key_that_is_not_for_signatures_is_left_out(tmp_path, served, key):
    served["data"] = jwks(key, jwk_of(rsa_key("k1"), "k9"))
    jwts = tokens_of(tmp_path, served)
    assert jwts.principal(token(rsa_key("k1"), "k9")).name == "alice"
    with pytest.raises(BadJwt, match="key"):
        jwts.principal(token(rsa_key("k1")))


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"typ": "logout+jwt"},
        {"typ": "secevent+jwt"},
    ],
)
def test_a_header_that_weir_does_not_know_is_refused(tmp_path, served, header):
    with pytest.raises(BadJwt):
        tokens_of(tmp_path, served).principal(token(rsa_key("k1"), header=header))


def test_a_key_in_the_header_is_never_used(tmp_path, served):
    own = rsa_key("k2")
    for header in (
        {"jwk": jwk_of(own, "k1")},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/keys"},
    ):
        with pytest.raises(BadJwt, match="signature"):
            tokens_of(tmp_path, served).principal(token(own, header=header))
    assert served["asked"] == 3  # once at the start of each


@pytest.mark.parametrize(
    "text", ["eyJ..", "eyJ.a.b", "eyJhbGciOiJub25lIn0.e30.", "eyJ" + "A" * LONGEST + ".a.b"]
)
def test_what_is_no_jwt_is_refused(tmp_path, served, text):
    with pytest.raises(BadJwt):
        tokens_of(tmp_path, served).principal(text)


def test_characters_that_no_jwt_has_are_refused_and_take_no_place(tmp_path, served):
    jwts, good = tokens_of(tmp_path, served), token(rsa_key("k1"))
    assert jwts.principal(good)
    for changed in (good + "!", good[:9] + "*" + good[9:], good + "=", good + "\n", good + "é"):
        with pytest.raises(BadJwt):
            jwts.principal(changed)
    assert len(jwts._kept) == 1
    assert max(map(len, jwts._kept)) == 32


def test_a_changed_character_anywhere_is_refused(tmp_path, served):
    jwts, good = tokens_of(tmp_path, served), token(rsa_key("k1"))
    for at in range(0, len(good), 7):
        changed = good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :]
        with pytest.raises(BadJwt):
            jwts.principal(changed)


def test_a_new_key_counts_after_one_fetch_and_made_up_ids_ask_for_no_more(
    tmp_path, served, monkeypatch
):
    monkeypatch.setattr("gateway.access.people.issuer_keys.SOONEST_S", 0.0)
    monkeypatch.setattr("gateway.access.people.issuer_keys.WAIT_S", 60.0)
    jwts, new = tokens_of(tmp_path, served), rsa_key("k2")
    fetching = [gevent.spawn(loop) for loop in jwts.loops()]
    served["data"] = jwks(jwk_of(rsa_key("k1"), "k1"), jwk_of(new, "k2"))
    try:
        assert jwts.principal(token(new, "k2")).name == "alice"
        monkeypatch.setattr("gateway.access.people.issuer_keys.SOONEST_S", 3600.0)
        before = served["asked"]
        for number in range(100):
            with pytest.raises(BadJwt, match="no key"):
                jwts.principal(token(new, f"made-up-{number}"))
        assert served["asked"] == before
        served["data"] = jwks(jwk_of(new, "k2"))
    finally:
        gevent.killall(fetching)


def test_an_issuer_that_hangs_holds_up_no_token_whose_key_is_known(tmp_path, served, monkeypatch):
    monkeypatch.setattr("gateway.access.people.issuer_keys.SOONEST_S", 0.0)
    jwts, hung, asked = tokens_of(tmp_path, served), Event(), Event()

    def hang(*_where):
        asked.set()
        hung.wait()

    jwts._keys[NAME]._ask = hang
    [fetching] = [gevent.spawn(loop) for loop in jwts.loops()]
    try:
        asked.wait()
        with gevent.Timeout(60):
            for number in range(10):
                assert jwts.principal(token(rsa_key("k1"), jti=str(number)))
            with pytest.raises(BadJwt, match="no key"):
                jwts.principal(token(rsa_key("k2"), "k2"))
    finally:
        fetching.kill()


def test_a_key_that_is_withdrawn_counts_no_more(tmp_path, served):
    jwts = tokens_of(tmp_path, served)
    good = token(rsa_key("k1"))
    assert jwts.principal(good)
    served["data"] = jwks(jwk_of(rsa_key("k2"), "k2"))
    jwts._keys[NAME].fetch()
    with pytest.raises(BadJwt, match="no key"):
        jwts.principal(good)


def test_an_issuer_that_fails_leaves_known_keys_and_is_a_503_before_there_are_any(
    tmp_path, served, caplog
):
    jwts = tokens_of(tmp_path, served)
    served["status"] = 500
    for _ in range(3):
        jwts._keys[NAME].fetch()
    assert jwts.principal(token(rsa_key("k1")))
    assert len([one for one in caplog.records if "cannot be fetched" in one.message]) == 1
    cold = tokens_of(tmp_path, served)
    with pytest.raises(Refusal) as refused:
        cold.principal(token(rsa_key("k1")))
    assert refused.value.status == 503
    assert dict(refused.value.headers)["Retry-After"]
