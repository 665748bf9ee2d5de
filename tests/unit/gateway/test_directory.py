"""Which directory a request is about."""

import pytest

from tests.fakes.requester import DEFAULT_DIRECTORY, native

HEADER = "x-opencode-directory"


def asked(query="", headers=None):
    client, requester = native(b"{}")
    result = client.simulate_get("/path", query_string=query, headers=headers)
    assert result.status_code == 200, result.text
    return requester.commands[0].directory


def refused(query="", headers=None):
    client, requester = native()
    result = client.simulate_get("/path", query_string=query, headers=headers)
    assert result.status_code == 400
    assert result.headers["content-type"] == "application/json"
    assert requester.commands == []
    return result.json["data"]


def test_the_query_goes_before_the_header_and_the_header_before_the_default():
    assert asked("directory=/query", {HEADER: "/header"}) == "/query"
    assert asked("", {HEADER: "/header"}) == "/header"
    assert asked() == DEFAULT_DIRECTORY


def test_what_is_empty_counts_as_not_given():
    assert asked("directory=", {HEADER: "/header"}) == "/header"
    assert asked("directory=", {HEADER: ""}) == DEFAULT_DIRECTORY


@pytest.mark.parametrize(
    ("query", "directory"),
    [
        ("/a+b", "/a b"),
        ("%2Fa%20b%2Bc", "/a b+c"),
        ("/caf%C3%A9", "/café"),
        ("/a,b", "/a,b"),
        ("/100%25", "/100%"),
        ("%252F%252561", "/%61"),
        ("/%2561", "/%61"),
        ("/a%2520b", "/a%20b"),
        ("%252Fa%2520b", "/a b"),
        ("/a%25zz%2520", "/a%zz%20"),
        ("/100%25ff", "/100%ff"),
    ],
)
def test_the_query_is_form_encoded_and_decoded_again_if_its_slash_is_encoded(query, directory):
    assert asked(f"directory={query}") == directory


@pytest.mark.parametrize(
    ("header", "directory"),
    [
        ("/a+b", "/a+b"),
        ("%2Fa%20b", "/a b"),
        ("/caf%C3%A9", "/café"),
        ("/café".encode().decode("latin-1"), "/café"),
        ("/100%", "/100%"),
        ("/a%2520b", "/a%20b"),
        ("/a%zz%20", "/a%zz%20"),
    ],
)
def test_the_header_is_uri_encoded_or_raw(header, directory):
    assert asked(headers={HEADER: header}) == directory


@pytest.mark.parametrize(
    ("given", "directory"),
    [
        ("/a/", "/a"),
        ("/a///", "/a"),
        ("/", "/"),
        ("//", "/"),
        ("/.", "/"),
        ("//a//b/", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/..", "/"),
        (".", DEFAULT_DIRECTORY),
        ("a/b", f"{DEFAULT_DIRECTORY}/a/b"),
        ("../a", "/srv/a"),
        ("~/a", f"{DEFAULT_DIRECTORY}/~/a"),
    ],
)
def test_a_directory_is_spelt_in_the_shortest_way(given, directory):
    assert asked(f"directory={given}") == directory
    assert asked(headers={HEADER: given}) == directory


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("/a%00b", "has a NUL in it"),
        ("a%00", "has a NUL in it"),
        ("/%FF", "is not UTF-8"),
    ],
)
def test_what_is_no_directory_is_refused(given, words):
    for source in ({"query": f"directory={given}"}, {"headers": {HEADER: given}}):
        data = refused(**source)
        assert words in data["message"]
        assert data["field"] in ("directory", HEADER)
        assert data["kind"] in ("Query", "Headers")


def test_a_nul_that_is_encoded_twice_is_refused():
    assert "has a NUL in it" in refused("directory=%252Fa%2500")["message"]


def test_a_directory_may_be_given_once():
    data = refused("directory=/a&directory=/b")
    assert "given 2 times" in data["message"]
    assert data["field"] == "directory"
    assert asked("directory=&directory=/b") == "/b"


@pytest.mark.parametrize("path", ["/session", "/session/status", "/config", "/project/current"])
def test_each_route_of_a_directory_checks_it(path):
    client, _ = native()
    assert client.simulate_get(path, query_string="directory=%00").status_code == 400


@pytest.mark.parametrize("path", ["/" + "x" * 4096, "/" + "%C3%A4" * 2048])
def test_a_path_that_no_machine_can_have_is_refused(path):
    assert refused(f"directory={path}")["field"] == "directory"
    assert refused("", {HEADER: path})["field"] == HEADER
    assert asked(f"directory={path[:-6]}") != DEFAULT_DIRECTORY


@pytest.mark.parametrize("path", ["/a" * 257, "%2Fa" * 257, "a/" * 257])
def test_a_path_of_very_many_parts_is_refused(path):
    assert "257 slashes" in refused(f"directory={path}")["message"]
    assert refused("", {HEADER: path})["field"] == HEADER
    assert asked("directory=" + "/a" * 256) == "/a" * 256
