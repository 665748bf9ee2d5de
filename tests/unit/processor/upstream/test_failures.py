"""What an upstream says stays short in logs and in the readiness."""

import io

import pytest
import urllib3

from bus.origin import Origin
from processor.upstream import failures
from processor.upstream.api import NotThere, UpstreamApi
from processor.upstream.settings import UpstreamSettings

LONG = "r" * 60_000


def answer(body: bytes = b"", status: int = 200, kind: str = "application/json", reason: str = ""):
    return urllib3.HTTPResponse(
        io.BytesIO(body), {"Content-Type": kind}, status, reason=reason, preload_content=False
    )


@pytest.mark.parametrize("refused", [answer(status=500, reason=LONG), answer(kind=LONG)])
def test_the_words_of_an_upstream_are_cut(refused):
    said = failures.refusal(refused)
    assert len(said) < 200
    assert "rrr" in said


class Saying:
    """Answers all requests with the same body."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def request(self, *_args, **_options):
        return answer(self._body)


def rest_of(body: bytes) -> UpstreamApi:
    return UpstreamApi(UpstreamSettings(Origin("http", "127.0.0.1", 1)), Saying(body))


def test_a_version_and_a_folder_without_bounds_are_not_taken():
    assert rest_of(b'{"version":"1.18.34"}').version() == "1.18.34"
    assert rest_of(b'{"directory":"/d"}').folder() == "/d"
    with pytest.raises(NotThere):
        rest_of(b'{"version":"%b"}' % LONG.encode()).version()
    with pytest.raises(NotThere):
        rest_of(b'{"directory":"/%b"}' % LONG.encode()).folder()
