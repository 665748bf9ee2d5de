"""Where the upstream is, and the login that it asks for."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.origin import Origin
from bus.process.flags import BadFlag
from bus.process.login import Login
from gateway.settings import read

BUS = ["--bus", "ipc:///tmp/x"]


@pytest.mark.parametrize(
    ("url", "authority", "port"),
    [
        ("http://127.0.0.1:4096", "127.0.0.1:4096", 4096),
        ("http://h/", "h", 80),
        ("https://h", "h", 443),
        ("https://h:80", "h:80", 80),
        ("HTTP://[::1]:4096", "[::1]:4096", 4096),
        ("http://[fe80::1%25eth0]:1/", "[fe80::1]:1", 1),
        ("https://bücher.example", "xn--bcher-kva.example", 443),
    ],
)
def test_an_origin_is_read_and_named(url, authority, port):
    origin = Origin.parse(url)
    assert (origin.authority, origin.port) == (authority, port)
    assert Origin.parse(str(origin)) == origin


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://h", ""),
        ("http://h//", ""),
        ("http://h/weir-app/", "/weir-app"),
        ("http://h/a/b", "/a/b"),
        ("http://u:p@[::1]:1/a%20b/ü/", "/a%20b/%C3%BC"),
    ],
)
def test_an_origin_may_be_under_a_path(url, path):
    origin = Origin.parse(url)
    assert origin.target("/event?x=1") == f"{path}/event?x=1"
    assert str(origin) == f"http://{origin.authority}{path}"
    assert Origin.parse(str(origin)).path == path


NO_SERVERS = """
h:80 //h ws://h http:// http://h:x http://h:0 http://u@h http://:p@h http://u:@h http://[::1
http://[::x] http://a..b http://h%2fx http://h\\x http://-%
"""


@pytest.mark.parametrize("url", ["", "http://a b", *NO_SERVERS.split()])
def test_what_is_no_server_is_refused(url):
    with pytest.raises(BadFlag):
        Origin.parse(url)


@pytest.mark.parametrize(
    ("url", "named"),
    [("http://h?", "a query"), ("http://h/p?q=1", "a query"), ("http://h/#f", "a fragment")],
)
def test_what_follows_the_path_is_refused_by_name(url, named):
    with pytest.raises(BadFlag, match=named):
        Origin.parse(url)


@pytest.mark.parametrize(
    "url", ["http://me:s3cret/x@h", "http://me:s3cret?@h", "http://me:s3cret#"]
)
def test_a_password_that_is_not_escaped_is_not_repeated(url):
    with pytest.raises(BadFlag) as refused:
        Origin.parse(url)
    assert "s3cret" not in str(refused.value)


@given(st.text(min_size=1), st.text())
def test_a_login_admits_its_own_header_and_token_and_no_other(password, other):
    login = Login("opencode", password)
    assert login.admits(login.basic, None)
    assert login.admits(login.basic.replace("Basic", "bAsIc"), "nonsense")
    assert login.admits(None, login.basic.removeprefix("Basic "))
    assert login.admits(None, login.basic.removeprefix("Basic ").replace("+", " "))
    wrong = b64encode(f"opencode:{other}".encode()).decode()
    assert login.admits(f"Basic {wrong}", None) is (other == password)
    for header, token in ((None, None), ("", ""), ("Basic", "="), ("Bearer x", None)):
        assert not login.admits(header, token)


def test_a_password_is_not_shown():
    origin = Origin.parse("http://me:s3cret@h")
    assert origin.login == Login("me", "s3cret")
    assert "s3cret" not in f"{origin} {origin!r} {origin.login!r} {origin.login}"


def test_the_password_of_opencodes_own_variables_is_taken_where_the_url_has_none():
    environ = {"OPENCODE_SERVER_PASSWORD": "p", "WEIR_UPSTREAM": "http://h"}
    assert read(BUS, environ).upstream.login == Login("opencode", "p")
    named = {**environ, "OPENCODE_SERVER_USERNAME": "me"}
    assert read(BUS, named).upstream.login == Login("me", "p")
    assert read([*BUS, "--upstream=http://u:q@h"], environ).upstream.login == Login("u", "q")
    assert read(BUS, {"WEIR_UPSTREAM": "http://h"}).upstream.login is None
    assert read(BUS, {"OPENCODE_SERVER_PASSWORD": "p"}).upstream is None
