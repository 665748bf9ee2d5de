"""What ``--cors`` takes."""

import pytest

from bus.process.flags import BadFlag
from gateway.settings import read
from gateway.web_origins import WebOrigins

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
    assert read([BUS, *words], {}).cors == WebOrigins(
        frozenset({"https://a.example", "oc://other"})
    )


def test_the_environment_gives_origins_too():
    cors = read([BUS], {"WEIR_CORS": "http://[::1]:80,http://a:1"}).cors
    assert str(cors) == "http://[::1]:80,http://a:1"
    assert WebOrigins.parse(str(cors)) == cors


@pytest.mark.parametrize(
    "value", ["*", "null", "a.example", "https://a.example/x", "https://", "https://a b", "a,,b"]
)
def test_what_is_no_origin_is_refused_by_its_name(value):
    with pytest.raises(BadFlag, match=r"--cors: .* is not the origin of a web page; allowed is"):
        read([BUS, f"--cors={value}"], {})
