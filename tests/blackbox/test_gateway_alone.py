"""A gateway whose processor is not there, and one that is told nonsense."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from tests.processes import DEADLINE_S, running


def call(url, method, path, body=None):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=DEADLINE_S)
    connection.request(method, path, body)
    response = connection.getresponse()
    got = json.loads(response.read())
    connection.close()
    return response, got


def test_health_answers_without_a_processor_and_other_routes_say_that_it_is_gone(weir):
    assert call(weir.url, "GET", "/global/health")[1]["healthy"] is True
    response, body = call(weir.url, "GET", "/session")
    assert response.status == 503
    assert response.headers["Retry-After"]
    assert response.headers["Content-Type"] == "application/json"
    assert "processor" in body["data"]["message"]


def test_an_unknown_route_answers_json(weir):
    response, body = call(weir.url, "GET", "/no/such/route")
    assert response.status == 404
    assert "/no/such/route" in body["data"]["message"]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--port", "70000"], "--port: '70000'"),
        (["--heartbeat-ms", "10"], "--heartbeat-ms: '10'"),
        (["--workers", "none"], "--workers: 'none'"),
        (["--bus", "http://x"], "--bus: 'http://x'"),
        (["--bus", "tcp://192.0.2.1:9999"], "--bus: 'tcp://192.0.2.1:9999'"),
        (["--bogus", "1"], "--bogus: unknown"),
        ([], "--bus: missing"),
    ],
)
def test_a_bad_flag_is_refused_in_one_line(tmp_path, flags, named):
    bus = [] if "--bus" in flags or not flags else ["--bus", "ipc:///tmp/x"]
    with running("-m", "gateway", *bus, *flags, log=tmp_path / "log") as gateway:
        assert gateway.ends() == 2
    assert named in gateway.output
    assert len(gateway.output.splitlines()) == 1
