"""Which proxy leads to a model, by what requests and curl read from the environment."""

import pytest

from bus.process.flags import BadFlag
from processor.proxies import ProviderProxy, proxy_for

HTTPS, HTTP = "https://api.example.com/v1", "http://10.1.2.3:8080/v1"
P, Q = {"HTTPS_PROXY": "http://p:3128"}, {"HTTP_PROXY": "http://q:3128"}


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        (HTTPS, {}, None),
        (HTTPS, P | Q, "http://p:3128"),
        (HTTP, P | Q, "http://q:3128"),
        (HTTPS, Q, None),
        (HTTPS, {"ALL_PROXY": "http://all"}, "http://all"),
        (HTTPS, P | {"ALL_PROXY": "http://all"}, "http://p:3128"),
        (HTTPS, P | {"https_proxy": "https://low:1"}, "https://low:1"),
        (HTTPS, P | {"https_proxy": ""}, None),
        (HTTPS, {"HTTPS_PROXY": " "}, None),
        (HTTPS, {"https_proxy": "p:3128"}, "http://p:3128"),
        (HTTPS, {"https_proxy": "http://[::1]:3128/"}, "http://[::1]:3128"),
        (HTTP, Q | {"REQUEST_METHOD": "GET"}, None),
        (HTTP, {"http_proxy": "http://q", "REQUEST_METHOD": "GET"}, "http://q"),
        ("http://127.0.0.1:11434/v1", Q, "http://q:3128"),
    ],
)
def test_the_variable_of_the_scheme_names_the_proxy(
    url: str, environ: dict[str, str], proxy: str | None
) -> None:
    found = proxy_for(url, environ)
    assert (None if found is None else found.url) == proxy


@pytest.mark.parametrize(
    ("url", "listed", "direct"),
    [
        (HTTPS, "*", True),
        (HTTPS, "other.com, example.com", True),
        (HTTPS, ".example.com", True),
        (HTTPS, "*.example.com", True),
        (HTTPS, "API.Example.COM", True),
        (HTTPS, "ample.com", False),
        (HTTPS, "api.example.com:443", False),
        ("https://api.example.com:8443/v1", "api.example.com:8443", True),
        ("https://api.example.com:8443/v1", "api.example.com:1", False),
        (HTTPS, "", False),
        (HTTP, "10.1.2.3", True),
        (HTTP, "10.0.0.0/8", True),
        (HTTP, "10.1.2.3:8080", True),
        (HTTP, "10.1.2", False),
        (HTTP, "10.2.0.0/16", False),
        ("http://[fd00::1]:1/v1", "fd00::/8", True),
        ("http://[fd00::1]:1/v1", "[fd00::1]", True),
        ("http://localhost:1/v1", "localhost,127.0.0.1", True),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_what_is_listed_is_asked_directly(url: str, listed: str, direct: bool, name: str) -> None:
    assert (proxy_for(url, {"ALL_PROXY": "http://p", name: listed}) is None) is direct


def test_a_login_is_kept_out_of_the_url() -> None:
    proxy = proxy_for(HTTPS, {"HTTPS_PROXY": "http://me:p%40ss@p:3128"})
    assert proxy == ProviderProxy("http://p:3128", "me:p@ss")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("socks5://me:secret@p", "socks5"),
        ("http://me:secret@", "no host"),
        ("http://me:secret@p:x", "not a URL"),
        ("http://me:secret@[p", "not a URL"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_by_the_variables_name(
    value: str, words: str
) -> None:
    with pytest.raises(BadFlag) as refused:
        proxy_for(HTTPS, {"ALL_PROXY": value})
    assert str(refused.value).startswith("ALL_PROXY: ")
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)
    assert proxy_for(HTTPS, {"ALL_PROXY": value, "NO_PROXY": "example.com"}) is None
