"""The file of identities, what it gives to whom, and the header of a trusted proxy."""

import json

import pytest

from bus.process.flags import BadFlag
from gateway import settings
from gateway.access.access import Access, WrongCredential
from gateway.access.cookies import Cookies
from gateway.access.credentials import Credential
from gateway.access.identity import Identity
from gateway.access.people.file import IdentitiesFile, check_source
from gateway.access.people.people import People
from gateway.access.people.trusted_header import TrustedHeader
from gateway.access.principal import Action, Person
from gateway.access.setup import identity_of
from gateway.proxy.failures import Refusal
from tests.fakes.open_access import open_access
from tests.unit.gateway.access.requests import request

CONTENT = {
    "users": {"alice": [{"action": "admin"}], "bob": []},
    "groups": {"dev": [{"action": "write", "directories": ["/srv/app/**"]}]},
    "default": [{"action": "read", "sessions": ["ses_1"]}],
}
NAME = "X-Forwarded-User"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "identities.json"
    path.write_text(json.dumps(CONTENT))
    return path


def people_of(file) -> People:
    return People(file, True)


def test_a_person_has_its_own_grants_and_those_of_its_groups_or_else_the_default(file):
    people = people_of(file)
    assert people.principal(Person("alice")).may(Action.ADMIN)
    both = people.principal(Person("bob", ("dev", "none")))
    assert both.scope(Action.WRITE).directories == ("/srv/app/**",)
    for name in ("bob", "carol"):
        scope = people.principal(Person(name)).scope(Action.READ)
        assert scope.sessions == ("ses_1",)


def test_a_change_of_the_file_counts_and_a_broken_file_gives_nothing(file, caplog):
    people = people_of(file)
    identity = Identity(None, None, Cookies(b"key"), people=people)
    alice, carol = (identity.of_person(Person(name)) for name in ("alice", "carol"))
    assert identity.holds(alice)
    file.write_text(json.dumps({**CONTENT, "users": {}}))
    assert people.look()
    assert not identity.holds(alice)
    assert identity.holds(carol)
    file.write_text("{")
    assert people.look()
    assert not identity.holds(carol)
    assert people.principal(Person("alice")).grants == ()
    assert "every request of a person (JWT or trusted header) is refused" in caplog.text


def test_a_file_that_could_not_be_read_once_is_read_again(file, monkeypatch, caplog):
    people = people_of(file)
    file.write_text(json.dumps({**CONTENT, "groups": {}}))

    def fails(_):
        raise BadFlag("too many open files")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.access.people.people.read", fails)
        assert people.look()
        assert not people.look()
        assert people.principal(Person("alice")).grants == ()
    assert people.look()
    assert people.principal(Person("alice")).may(Action.ADMIN)
    assert not people.look()
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "identities.json"),
        ('{"user": {}}', "user"),
        ('{"users": {"a": [{"action": "all"}]}}', "action"),
        ('{"users": {"a": [{"action": "read", "directories": ["srv"]}]}}', "srv"),
        ('{"issuers": [{"issuer": "https://a.example"}]}', "audience"),
        ('{"issuers": [{"issuer": "http://a.example", "audience": "w"}]}', "issuers"),
        (
            '{"issuers": [{"issuer": "a", "audience": "w", "jwks": "http://a.example/k"}]}',
            "jwks",
        ),
        ('{"issuers": [{"issuer": "a", "audience": "w", "skew_s": 9999}]}', "skew_s"),
        ('{"issuers": [{"issuer": "a#b", "audience": "w", "jwks": "/k"}]}', "a#b"),
    ],
)
def test_a_wrong_file_is_refused_at_the_start_with_its_field(file, content, words):
    file.write_text(content)
    with pytest.raises(BadFlag, match=words) as refused:
        settings.read(["--bus", "ipc:///b", "--identities", str(file)], {})
    assert "\n" not in str(refused.value)


def issued_by(*names):
    return [{"issuer": name, "audience": "w", "jwks": "/k"} for name in names]


ADMIN, READ = [{"action": "admin"}], [{"action": "read"}]
OF_A, OF_B, OF_HEADER = Person("al", ("g",), (), "a"), Person("al", ("g",), (), "b"), Person("al")


@pytest.mark.parametrize(
    ("issuers", "has_header", "users", "groups", "admins"),
    [
        (["a"], False, {"al": ADMIN}, {}, [OF_A]),
        (["a"], False, {"a#al": ADMIN}, {}, [OF_A]),
        (["a"], False, {}, {"g": ADMIN}, [OF_A]),
        ([], True, {"al": ADMIN}, {}, [OF_HEADER]),
        ([], True, {"#al": ADMIN}, {}, [OF_HEADER]),
        (["a", "b"], False, {"b#al": ADMIN}, {}, [OF_B]),
        (["a", "b"], False, {}, {"a#g": ADMIN, "b#g": READ}, [OF_A]),
        (["a"], True, {"#al": ADMIN, "a#al": READ}, {}, [OF_HEADER]),
        (["a"], True, {"a#al": ADMIN}, {}, [OF_A]),
        (["a"], False, {"b#al": ADMIN}, {}, []),
        (["a", "b"], False, {"a#b#al": ADMIN}, {}, []),
    ],
)
def test_grants_are_those_of_the_source_that_names_the_person(
    file, issuers, has_header, users, groups, admins
):
    content = {"issuers": issued_by(*issuers), "users": users, "groups": groups}
    file.write_text(json.dumps(content))
    people = People(file, has_header)
    found = [one for one in (OF_A, OF_B, OF_HEADER) if people.principal(one).may(Action.ADMIN)]
    assert found == admins


@pytest.mark.parametrize(
    ("issuers", "has_header", "content", "words"),
    [
        (["a", "b"], False, {"users": {"al": ADMIN}}, r"users: 'al' .*'a#NAME' or 'b#NAME'"),
        (["a", "b"], False, {"groups": {"g": ADMIN}}, r"groups: 'g' "),
        (["a", "b"], False, {"users": {"c#al": ADMIN}}, r"users: 'c#al' "),
        (["a", "b"], False, {"users": {"#al": ADMIN}}, r"users: '#al' "),
        (["a"], True, {"users": {"al": ADMIN}}, r"users: 'al' .*'a#NAME' or '#NAME'"),
        (["a"], True, {"groups": {"#g": ADMIN}}, r"groups: '#g' .*allowed is 'a#NAME'$"),
        (["a"], False, {"users": {"al": ADMIN, "a#al": READ}}, "is there twice"),
    ],
)
def test_a_key_that_does_not_say_which_source_names_the_person_is_refused(
    file, tmp_path, issuers, has_header, content, words, caplog
):
    start = {"issuers": issued_by(*issuers)}
    file.write_text(json.dumps({**start, **content}))
    flags = ["--trusted-user-header", NAME, "--trusted-proxies", "127.0.0.1"]
    flags = ["--identities", str(file), *(flags if has_header else [])]
    with pytest.raises(BadFlag, match=words) as refused:
        settings.read(["--bus", "ipc:///b", *flags], {})
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)
    people = People(file, has_header)  # as after a change of the file
    assert people.principal(OF_A).grants == ()
    assert "refused until" in caplog.text


def test_a_worker_that_starts_late_has_the_grants_that_the_file_has_then(file, monkeypatch):
    header = ["--trusted-user-header", NAME, "--trusted-proxies", "127.0.0.1"]
    flags = ["--bus", "ipc:///b", "--identities", str(file), *header]
    given = settings.read(flags, {})
    file.write_text(json.dumps({**CONTENT, "users": {}}))
    identity = identity_of(given, b"key")
    assert not identity.of_person(Person("alice")).may(Action.ADMIN)


def test_a_file_that_others_may_write_or_that_is_not_there_is_refused(file):
    file.chmod(0o666)
    with pytest.raises(BadFlag, match="chmod"):
        IdentitiesFile.parse(str(file))
    with pytest.raises(BadFlag, match="cannot be read"):
        IdentitiesFile.parse(str(file.with_name("none")))


def test_flags_that_need_each_other_say_so(file):
    for flags, words in (
        (["--trusted-user-header", NAME], "--identities"),
        (["--trusted-user-header", NAME, "--identities", str(file)], "--trusted-proxies"),
        (["--identities", str(file)], "issuers"),
        (["--trusted-user-header", "Cookie"], "Cookie"),
        (["--trusted-user-header", "X Y"], "X Y"),
    ):
        with pytest.raises(BadFlag, match=words):
            settings.read(["--bus", "ipc:///b", *flags], {})


def test_issuers_without_the_library_are_refused_with_the_name_of_the_extra(file, monkeypatch):
    monkeypatch.setattr("gateway.access.people.file.find_spec", lambda _: None)
    file.write_text('{"issuers": [{"issuer": "https://a.example", "audience": "w"}]}')
    with pytest.raises(BadFlag, match=r"weir-events\[jwt\]"):
        IdentitiesFile.parse(str(file))
    file.write_text("{}")
    IdentitiesFile.parse(str(file))


@pytest.mark.parametrize(
    "source",
    [
        "http://a.example/k",
        "ftp://a.example/k",
        "a.example/k",
        "https://",
        "https://u:p@a.example/k",
    ],
)
def test_keys_come_by_https_or_from_this_machine_alone(source):
    with pytest.raises(ValueError, match="not allowed"):
        check_source(source)
    for good in ("https://a.example/k?v=1", "http://127.0.0.1:9/k", "http://[::1]/k", "/etc/k"):
        check_source(good)


def access_of(file) -> Access:
    identity = Identity(None, None, Cookies(b"key"), people=people_of(file))
    return open_access(identity, header=TrustedHeader(NAME))


def test_the_header_of_a_trusted_proxy_names_the_person_and_goes_no_further(file):
    access = access_of(file)
    one = request("GET", "/session", f"{NAME}: alice", "X-Other: 1", trusted=True)
    assert access.admit(one, one.path).principal.name == "alice"
    assert one.header(NAME.lower().encode()) == ""
    assert one.header(b"x-other") == "1"


@pytest.mark.parametrize(
    "header", [f"{NAME}: alice", "x-forwarded-user: alice", "X_Forwarded_User: alice"]
)
@pytest.mark.parametrize("path", ["/session", "/weir/livez", "/event"])
def test_the_header_of_anybody_else_is_dropped(file, header, path):
    access = access_of(file)
    one = request("GET", path, header, trusted=False)
    if path == "/weir/livez":
        assert access.admit(one, one.path).principal is None
    else:
        with pytest.raises(Refusal) as refused:
            access.admit(one, one.path)
        assert refused.value.status == 401
    assert b"alice" not in b"".join(value for _, value in one.headers)


def test_an_underscore_is_not_the_header_even_of_a_trusted_proxy(file):
    one = request("GET", "/session", "X_Forwarded_User: alice", trusted=True)
    with pytest.raises(Refusal):
        access_of(file).admit(one, one.path)
    assert b"alice" not in b"".join(value for _, value in one.headers)


@pytest.mark.parametrize(
    "headers",
    [
        [f"{NAME}: alice", f"{NAME}: bob"],
        [f"{NAME}: alice", f"{NAME.lower()}: alice"],
        [f"{NAME}: {'a' * 257}"],
        [f"{NAME}: a\tb"],
    ],
)
def test_a_header_that_is_not_one_name_is_refused(file, headers):
    one = request("GET", "/session", *headers, trusted=True)
    with pytest.raises(Refusal) as refused:
        access_of(file).admit(one, one.path)
    assert refused.value.status == 400


def test_a_page_of_another_origin_has_no_share_in_the_person(file):
    access = access_of(file)
    headers = (f"{NAME}: alice", "Origin: http://localhost:3000")
    one = request("GET", "/session", *headers, trusted=True)
    with pytest.raises(Refusal) as refused:
        access.admit(one, one.path)
    assert refused.value.status == 401


def test_the_cookie_of_a_person_has_the_grants_that_the_file_has_now(file):
    people = people_of(file)
    identity = Identity(None, None, Cookies(b"key"), people=people)
    cookie = identity.cookie_for(people.principal(Person("alice", ("dev",)), None))
    access = open_access(identity)
    one = request("GET", "/session", f"Cookie: weir_login={cookie}")
    assert access.admit(one, one.path).principal.person == Person("alice", ("dev",))
    with pytest.raises(WrongCredential):
        access.principal_of(Credential(None, "", f"{cookie[:-1]}x"), "192.0.2.1")
    many = tuple(f"group-{number}" for number in range(1000))
    with pytest.raises(Refusal, match="Bearer"):
        identity.cookie_for(people.principal(Person("alice", many), None))
