"""Requests as curl and proxies write them: answered as an opencode without weir does."""

import pytest

from tests.processes import wait_until
from tests.raw_client import RawClient


@pytest.mark.parametrize(
    ("target", "fields"),
    [
        ("/path?directory=PROJECT&x=d\u00e9j\u00e0", []),
        ("/global/health?x=" + "y" * 9000, []),
        ("/path?directory=PROJECT&x=" + "y" * 9000, []),
        ("/path", [f"X-{number}: y" for number in range(150)]),
        ("/path", ["X-Forwarded-Proto: https", "X-Forwarded-Protocol: https"]),
        ("/global/health", ["X-Forwarded-Proto: https", "X-Forwarded-Ssl: on"]),
        ("/path", ["api_key: x", "Script_Name: /foo"]),
    ],
)
def test_odd_but_good_requests_are_answered_as_without_weir(opencode, up, target, fields):
    target = target.replace("PROJECT", str(opencode.projects[0]))
    answer = answered(opencode.url, target, fields)
    assert answer[0] == b"200"
    # A worker learns the version of its upstream, which is in its health, within a second or two.
    wait_until(lambda: answered(up.url, target, fields) == answer, what="the same answer")


def answered(url, target, fields):
    """Return the status and the body of the answer to a request."""
    with RawClient(url) as client:
        lines = [f"GET {target} HTTP/1.1", f"Host: {client.authority}", *fields]
        client.send("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        head, _, body = client.rest()[0].partition(b"\r\n\r\n")
    return head.split(b" ")[1], body
