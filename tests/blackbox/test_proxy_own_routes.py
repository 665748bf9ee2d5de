"""What is weir's own stays weir's: streams, health, readiness; and the password before them."""

import json
import threading
from base64 import b64encode
from contextlib import contextmanager

import msgspec
import pytest
import zmq

from bus.answers import Done, Failed
from bus.commands import NumberedCommand, Readiness
from bus.transport.endpoints import Endpoints
from tests.blackbox.proxied import header, headers_of, proxied
from tests.blackbox.publishing import peak_kb, send_zeros
from tests.fakes.http_upstream import OK, answer
from tests.processes import DEADLINE_S, running, wait_until
from tests.sse_client import SseClient

BASIC = "Authorization: Basic " + b64encode(b"opencode:s3cret:x").decode()
TOKEN = b64encode(b"opencode:s3cret:x").decode()


@pytest.fixture(scope="module")
def weir():
    with proxied() as running:
        yield running


@pytest.fixture(scope="module")
def protected():
    with proxied(url="http://opencode:s3cret%3Ax@127.0.0.1:{port}") as running:
        yield running


@contextmanager
def processor(source, body):
    """Answer `Readiness` with what `body` holds, refuse the rest, and beat; with None, nothing."""
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.set(zmq.LINGER, 0)
    socket.bind(Endpoints.parse(source.url).commands)
    stop = threading.Event()

    def serve():
        decode = msgspec.msgpack.Decoder(NumberedCommand).decode
        while not stop.is_set():
            if body["now"] is not None:
                source.publisher.heartbeat()
            if not socket.poll(50):
                continue
            peer, frame = socket.recv_multipart()
            request = decode(frame)
            if body["now"] is not None:
                answer = Failed(request.id, "invalid", "this is no processor")
                if isinstance(request.command, Readiness):
                    answer = Done(request.id, json.dumps(body["now"]).encode())
                socket.send_multipart([peer, msgspec.msgpack.encode(answer)])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE_S)
        context.destroy(linger=0)


def get(weir, target, *headers, method="GET"):
    with weir.client() as client:
        client.get(target, *headers, method=method)
        return client.json()


def test_the_streams_never_touch_the_upstream(weir):
    weir.upstream.play(answer(OK))
    for path in ("/event", "/global/event", "/global//event", "/%65vent", "/x/../event?y"):
        with SseClient(weir.url + path) as stream:
            assert stream.status == 200
            assert stream.headers["Content-Type"] == "text/event-stream"
            assert b"server.connected" in stream.next().data
    with weir.client() as client:
        client.get("/event", "Content-Length: 0", method="POST")
        assert client.json()[0] == 405
    assert weir.upstream.heads == []


def test_other_routes_of_weir_are_its_own_and_native_ones_are_not(weir):
    weir.upstream.play(answer(OK))
    assert get(weir, "/weir/nothing")[0] == 404
    assert get(weir, "/weir/livez")[2] == {"alive": True}
    assert get(weir, "/weir/status")[2]["answered_by"] == 0
    with weir.client() as client:
        client.get("/metrics")
        assert "text/plain; version=0.0.4; charset=utf-8" in header(client.head(), "content-type")
    assert weir.upstream.heads == []
    with weir.client() as client:
        client.get("/session")
        client.head()
    assert len(weir.upstream.heads) == 1


def test_agents_are_refused_by_name_in_front_of_an_upstream(weir):
    for path in ("/weir/agents", "/weir/agents/nightly"):
        status, _, body = get(weir, path)
        assert (status, body["name"]) == (501, "NotImplementedError")
        assert "without --upstream" in body["data"]["message"]


def test_a_gigabyte_for_an_agent_is_refused_before_it_has_come(weir):
    pid = get(weir, "/weir/status")[2]["workers"][0]["pid"]
    before, passed_on = peak_kb(pid, anew=True), len(weir.upstream.heads)
    with weir.client() as client:
        client.get("/weir/agents/nightly", f"Content-Length: {1 << 30}", method="POST")
        send_zeros(client.socket, 100_000)
        assert client.head()[0].split()[1] == "501"
        with pytest.raises((ConnectionError, TimeoutError)):
            send_zeros(client.socket, 1 << 30)
    assert peak_kb(pid) - before < 20_000
    assert len(weir.upstream.heads) == passed_on


def test_requests_passed_on_are_counted_by_the_class_of_their_status(weir):
    def counts():
        return get(weir, "/weir/status")[2]["counts"]["requests"]

    before = counts()
    weir.upstream.play(answer(OK))
    get_all(weir, "/session", "/session", "/session")
    weir.upstream.play(answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
    get_all(weir, "/nowhere")

    def grown():
        return {kind: count - before.get(kind, 0) for kind, count in counts().items()}

    # A client may have all of its answer before the request is counted.
    wait_until(lambda: (grown()["2xx"], grown()["4xx"]) == (3, 1), what="the counts")
    assert get(weir, "/weir/status")[2]["workers"][0]["in_flight"] == 0


def get_all(weir, *targets):
    for target in targets:
        with weir.client() as client:
            client.get(target, "Connection: close")
            client.rest()


def test_health_and_readiness_tell_what_the_processor_says(weir):
    said = {"now": None}
    own = get(weir, "/global/health")[2]
    assert own["healthy"] is True
    none_yet = ["the processor has not answered yet", "no processor has sent anything yet"]
    assert until(weir, lambda status, body: body["reasons"] == none_yet)[0] == 503
    upstream = {"version": "1.18.33", "connected": True}
    with processor(weir.gateway.source, said):
        said["now"] = {"ready": True, "reasons": [], "upstream": upstream}
        _, body = until(weir, lambda status, body: status == 200)
        assert body["ready"] is True
        assert body["upstream"] == upstream
        assert body["processors"][0]["answering"] is True
        assert get(weir, "/global/health")[2] == {"healthy": True, "version": "1.18.33"}

        gone = {"version": "1.18.33", "connected": False}
        said["now"] = {"ready": False, "reasons": ["the upstream is gone"], "upstream": gone}
        status, body = until(weir, lambda status, body: body["upstream"] == gone)
        assert status == 503
        assert "the upstream is gone" in body["reasons"]

        said["now"] = {"ready": True, "reasons": []}
        reads_none = ["the processor reads no upstream; start it with the gateway's --upstream"]
        until(weir, lambda status, body: body["reasons"] == reads_none)

    until(weir, lambda status, body: "not answered for" in "".join(body["reasons"]))
    assert get(weir, "/weir/readyz")[2]["processors"][0]["answering"] is False
    assert get(weir, "/global/health")[2] == {"healthy": True, "version": "1.18.33"}


def until(weir, condition):
    """Wait until readiness is told in some way; return its status and body."""

    def told():
        status, _, body = get(weir, "/weir/readyz")
        return condition(status, body) and (status, body)

    return wait_until(told, what="what readiness is to say")


def test_without_an_upstream_readiness_is_the_processors(gateway):
    weir, said = gateway(), {"now": {"ready": True, "reasons": []}}
    with processor(weir.source, said):

        def ready():
            with SseClient(f"{weir.url}/weir/readyz") as answered:
                return answered.status == 200

        wait_until(ready)


GUARDED = [
    *("/event", "/global/event", "/global/health", "/%65vent"),
    *("/weir/status", "/metrics", "//metrics"),
]


@pytest.mark.parametrize("path", GUARDED)
def test_a_password_of_the_upstream_guards_the_routes_of_weir(protected, path):
    wrong = {"/event": BASIC[:-4] + "AAAA", "//metrics": "Authorization: Bearer x"}
    for headers in ([], [wrong[path]] if path in wrong else []):
        status, head, body = get(protected, path, *headers)
        assert status == 401
        assert header(head, "WWW-Authenticate") == ['Basic realm="Secure Area"']
        assert body["name"] == "UnauthorizedError"
    if path == "/metrics":
        assert get(protected, f"{path}?auth_token=eDp5")[0] == 401
    for target, headers in ((path, [BASIC]), (f"{path}?auth_token={TOKEN}", [])):
        with protected.client() as client:
            client.get(target, *headers)
            assert client.head()[0] == "HTTP/1.1 200 OK"


def test_supervisors_and_preflights_need_no_password(protected):
    assert get(protected, "/weir/livez")[0] == 200
    assert get(protected, "/weir/readyz")[0] == 503
    with protected.client() as client:
        asks = ["Origin: http://localhost:1", "Access-Control-Request-Method: GET"]
        client.get("/event", *asks, method="OPTIONS")
        assert client.head()[0].startswith("HTTP/1.1 204")


def test_the_upstream_gets_its_password_from_weir_and_nothing_of_the_client(protected):
    protected.upstream.play(answer(OK))
    password = BASIC.partition(": ")[2]
    for target, *headers in (
        ("/session?a=b", BASIC),
        (f"/session?a=b&auth_token={TOKEN}",),
        (f"/session?auth%5Ftoken={TOKEN}&a=b",),
        ("/session?a=b", BASIC, "Cookie: weir_login=x; theirs=y"),
    ):
        with protected.client() as client:
            client.get(target, *headers)
            assert client.head()[0] == "HTTP/1.1 200 OK"
        sent = protected.upstream.heads[-1]
        assert sent.startswith(b"GET /session?a=b HTTP/1.1")
        assert headers_of(sent).get("authorization") == password
        assert headers_of(sent).get("cookie", "theirs=y") == "theirs=y"


def test_nothing_reaches_the_upstream_without_the_password(protected):
    protected.upstream.play(answer(OK))
    passed_on = len(protected.upstream.heads)
    opens = ["Connection: Upgrade", "Upgrade: websocket"]
    for target in ("/session", "/", "//session", "/pty/1/connect"):
        assert get(protected, target)[0] == get(protected, target, *opens)[0] == 401
    for headers in (["Authorization: Bearer theirs"], [BASIC[:-4] + "AAAA"]):
        assert get(protected, "/session", *headers)[0] == 401
    assert get(protected, "/session?auth_token=eDp5")[0] == 401
    assert len(protected.upstream.heads) == passed_on


@pytest.mark.parametrize(
    "path", ["/event;x", "/global/event;", "/event;x=1;y", "/%65vent%3Bx", "/x;a/../event;b"]
)
def test_a_stream_with_parameters_in_its_path_is_the_stream(weir, path):
    weir.upstream.play(answer(OK))
    passed_on = len(weir.upstream.heads)
    with SseClient(weir.url + path) as stream:
        assert b"server.connected" in stream.next().data
    assert len(weir.upstream.heads) == passed_on


@pytest.mark.parametrize(
    "path", ["/api/event", "/API//event/", "/api/event;x", "/api/session/ses_1/event?after=1"]
)
def test_a_stream_of_the_upstreams_own_is_not_passed_on(weir, path):
    passed_on = len(weir.upstream.heads)
    status, _, body = get(weir, path)
    assert (status, body["name"]) == (501, "NotImplementedError")
    assert "/event" in body["data"]["message"]
    assert len(weir.upstream.heads) == passed_on


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("ftp://h", "--upstream:"),
        ("http://h/base?a=b", "--upstream: it has a query"),
        ("http://h:99999", "--upstream:"),
        ("http://user@h", "--upstream: it has a user name or a password, but not both"),
        ("http://u:s3cret@h/p#f", "--upstream: it has a fragment"),
        ("http:// ", "--upstream:"),
    ],
)
def test_a_bad_upstream_is_refused_in_one_line_that_shows_no_password(tmp_path, value, named):
    flags = ["--bus", "ipc:///tmp/x", "--upstream", value]
    with running("-m", "gateway", *flags, log=tmp_path / "log") as process:
        assert process.ends() == 2
    assert named in process.output
    assert "s3cret" not in process.output
    assert len(process.output.splitlines()) == 1
