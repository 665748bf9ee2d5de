"""The values that ``--cors`` and ``--allow-host`` take."""

import pytest

from bus.process.flags import BadFlag
from gateway.hosts_and_origins import WEB_ORIGINS, Names
from gateway.settings import read

BUS = "--bus=ipc:///tmp/bus"


@pytest.mark.parametrize(
    "words",
    [
        ["--cors=https://a.example,oc://other"],
        ["--cors", "https://a.example", "--cors", "oc://other"],
        ["--cors=HTTPS://A.example/, oc://other"],
    ],
)
def test_origins_are_given_at_once_or_one_by_one(words):
    assert read([BUS, *words], {}).cors == Names(frozenset({"https://a.example", "oc://other"}))


def test_the_environment_gives_origins_too():
    cors = read([BUS], {"WEIR_CORS": "http://[::1]:80,http://a:1"}).cors
    assert str(cors) == "http://[::1]:80,http://a:1"
    assert WEB_ORIGINS.parse(str(cors)) == cors


@pytest.mark.parametrize(
    "value", ["*", "null", "a.example", "https://a.example/x", "https://", "https://a b", "a,,b"]
)
def test_what_is_no_origin_is_refused_by_its_name(value):
    with pytest.raises(BadFlag, match=r"--cors: .* is not the origin of a web page; allowed is"):
        read([BUS, f"--cors={value}"], {})


def test_host_names_are_read_in_lower_case_and_without_a_final_dot():
    allowed = read([BUS, "--allow-host=Weir.Example., b"], {}).allow_host
    assert allowed == Names(frozenset({"weir.example", "b"}))


@pytest.mark.parametrize("value", ["a.example:80", "*.example", "[::1]", "https://a", "a,,b"])
def test_a_value_that_is_no_host_name_is_refused(value):
    with pytest.raises(BadFlag, match=r"--allow-host: .* is not the name of a host; allowed is"):
        read([BUS, f"--allow-host={value}"], {})
