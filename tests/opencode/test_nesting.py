"""A client nests JSON deep, opencode takes it, and weir passes it on like all else."""

import http.client
import re
from contextlib import closing
from urllib.parse import quote, urlsplit

import pytest

from tests.hostile.mutations import nested
from tests.opencode.relay import readiness
from tests.processes import DEADLINE_S

pytestmark = pytest.mark.timeout(900)

DEEP = nested(1500)


def connection(url):
    return closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=DEADLINE_S))


def ask(url, method, path, body=None):
    with connection(url) as asked:
        asked.request(method, path, body, {"Content-Type": "application/json"})
        response = asked.getresponse()
        return response.status, response.read()


def heard(stream):
    """Read a stream up to an event with what is nested deep."""
    while DEEP not in (line := stream.readline()):
        assert line, "the stream was ended"
    return line


def test_a_session_with_deep_metadata_reaches_readers_and_does_no_harm(opencode, up):
    directory = quote(str(opencode.projects[0]))
    with connection(up.url) as early, connection(up.url) as late:
        early.request("GET", "/global/event")
        stream = early.getresponse()
        assert b"server.connected" in stream.readline() + stream.readline() + stream.readline()
        body = b'{"title":"deep","metadata":%b}' % DEEP
        status, made = ask(up.url, "POST", f"/session?directory={directory}", body)
        assert status == 200
        assert DEEP in made
        try:
            assert b"session.created" in heard(stream)
            late.request("GET", "/global/event")
            assert b'"session.' in heard(late.getresponse())
            assert readiness(up)[0] == 200
        finally:
            session = re.search(rb"ses_\w+", made)[0].decode()
            assert ask(up.url, "DELETE", f"/session/{session}?directory={directory}")[0] == 200
    assert "Traceback" not in up.output
