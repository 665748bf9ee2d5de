"""Paths of the upstream in the headers of its answers, as weir's clients get them."""

import pytest

from bus.origin import Origin
from gateway.proxy.returned import ReturnedPaths

HOST = "http://oc.example:4096"
AT_ROOT = ReturnedPaths(Origin.parse(HOST), "/weir-app")
IN_FOLDER = ReturnedPaths(Origin.parse(f"{HOST}/oc"), "/weir-app")
TO_ROOT = ReturnedPaths(Origin.parse(f"{HOST}/oc"), "")


@pytest.mark.parametrize("name", [b"Location", b"content-location"])
@pytest.mark.parametrize(
    ("returned", "value", "expected"),
    [
        (AT_ROOT, "/x?y=/z", "/weir-app/x?y=/z"),
        (AT_ROOT, "/", "/weir-app/"),
        (AT_ROOT, f"{HOST}/x", "/weir-app/x"),
        (AT_ROOT, HOST, "/weir-app/"),
        (IN_FOLDER, "/oc/x", "/weir-app/x"),
        (IN_FOLDER, "/oc", "/weir-app/"),
        (IN_FOLDER, "/oc?x", "/weir-app?x"),
        (IN_FOLDER, f"{HOST}/oc/x#y", "/weir-app/x#y"),
        (TO_ROOT, "/oc/x", "/x"),
        (TO_ROOT, "/oc", "/"),
    ],
)
def test_a_reference_leads_through_weir(name, returned, value, expected):
    assert returned([(name, value.encode())]) == [(name, expected.encode())]


@pytest.mark.parametrize("returned", [AT_ROOT, IN_FOLDER, TO_ROOT])
@pytest.mark.parametrize(
    "value",
    [
        "x/y",
        "../x",
        "?x",
        "#x",
        "",
        "//other/x",
        "https://oc.example:4096/x",
        "http://oc.example:40961/x",
        f"{HOST}@evil/x",
        "http://other/oc/x",
    ],
)
def test_a_reference_that_is_relative_or_leads_elsewhere_stays(returned, value):
    assert returned([(b"Location", value.encode())]) == [(b"Location", value.encode())]


@pytest.mark.parametrize("value", ["/other", "/ocx/y", f"{HOST}/other"])
def test_a_path_out_of_the_folder_stays(value):
    assert IN_FOLDER([(b"Location", value.encode())]) == [(b"Location", value.encode())]


def test_each_target_of_a_link_leads_through_weir():
    value = f'<{HOST}/session?a=1>; rel="next", </x>; rel="prev", <y>'.encode()
    expected = b'</weir-app/session?a=1>; rel="next", </weir-app/x>; rel="prev", <y>'
    assert AT_ROOT([(b"Link", value)]) == [(b"Link", expected)]


@pytest.mark.parametrize(
    ("returned", "path", "expected"),
    [
        (AT_ROOT, "/", "/weir-app"),
        (AT_ROOT, "/x", "/weir-app/x"),
        (IN_FOLDER, "/", "/weir-app"),
        (IN_FOLDER, "/oc", "/weir-app"),
        (IN_FOLDER, "/oc/", "/weir-app"),
        (IN_FOLDER, "/oc/x", "/weir-app/x"),
        (IN_FOLDER, "/other", "/other"),
        (TO_ROOT, "/oc", "/"),
        (TO_ROOT, "/oc/x", "/x"),
    ],
)
def test_a_cookie_is_for_the_path_of_weir(returned, path, expected):
    for form in ("a=b; Path={}; HttpOnly", "a=/c;path={}"):
        given = [(b"Set-Cookie", form.format(path).encode())]
        assert returned(given) == [(b"Set-Cookie", form.format(expected).encode())]


@pytest.mark.parametrize("value", [b"a=b", b"__Host-a=b; Path=/; Secure", b"a=path=/x"])
def test_a_cookie_without_a_path_or_bound_to_the_root_stays(value):
    assert AT_ROOT([(b"Set-Cookie", value)]) == [(b"Set-Cookie", value)]


def test_where_both_paths_are_the_same_all_headers_are_as_they_were():
    given = [(b"Location", f"{HOST}/oc/x".encode()), (b"Set-Cookie", b"a=b; Path=/oc")]
    assert ReturnedPaths(Origin.parse(f"{HOST}/oc"), "/oc")(given) == given
