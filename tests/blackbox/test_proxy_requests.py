"""What the upstream gets: byte for byte what the client sent, but for what is this hop's own."""

import threading

import pytest

from tests.blackbox.proxied import headers_of, proxied
from tests.fakes.http_upstream import OK, answer
from tests.http_client import call
from tests.processes import DEADLINE_S, wait_until

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(scope="module")
def weir():
    with proxied() as running:
        yield running


def _in_flight(weir):
    return sum(
        worker["in_flight"] for worker in call("GET", f"{weir.url}/weir/status").body["workers"]
    )


def keep(bodies):
    """Read one request whose body has a length, keep that, and answer."""

    def script(talk):
        size = int(headers_of(talk.head())["content-length"])
        bodies.append(talk.read(size))
        talk.say(OK)

    return script


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/a%2Fb/%252F%20c+d?e=f+g%26&h&&=i%2f",
        "//double//slashes/",
        "/empty?",
        "/ends/?x=/../y",
        "/file/../up/./here",
        "/(paren)*'!$@:;,=~[]{}|^`",
        "/eventual?x",
        "/weird",
        "/globals/event",
        "/x#y",
    ],
)
def test_path_and_query_pass_byte_for_byte(weir, target):
    weir.upstream.play(answer(OK))
    with weir.client() as client:
        client.get(target)
        assert client.head()[0] == "HTTP/1.1 200 OK"
    assert weir.upstream.heads[0].split(b"\r\n")[0] == f"GET {target} HTTP/1.1".encode()


def test_the_absolute_form_of_a_target_loses_its_authority(weir):
    weir.upstream.play(answer(OK))
    for given, sent in (("http://a.example/p?q", "/p?q"), ("http://a.example?q", "/?q")):
        with weir.client() as client:
            client.get(given)
            client.head()
        assert weir.upstream.heads.pop().startswith(f"GET {sent} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"]
)
def test_every_method_passes(weir, method):
    weir.upstream.play(answer(b"HTTP/1.1 204 No Content\r\n\r\n"))
    with weir.client() as client:
        client.get("/session", "Access-Control-Request-Method: POST", method=method)
        assert client.head()[0] == "HTTP/1.1 204 No Content"
    assert weir.upstream.heads[0].startswith(f"{method} /session ".encode())


def test_headers_of_this_hop_end_here_and_all_others_pass_in_order(weir):
    weir.upstream.play(answer(OK))
    sent = [
        "Authorization: Bearer a.b.c",
        "X-Twice: one",
        "Connection: keep-alive, X-Mine",
        "X-Mine: secret",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Proxy-Authorization: Basic eA==",
        "Upgrade: h2c",
        "Cookie: a=1",
        "X-Twice: two",
        "X-Odd: caf\xe9 \t;, =",
        "X-Empty:",
        "Accept-Encoding: gzip, br",
        "Origin: https://app.example",
        "X-Forwarded-For: 203.0.113.7",
        "X-Forwarded-Host: forged.example",
    ]
    with weir.client() as client:
        client.get("/x", *sent)
        client.head()
        peer = client.authority
    head = weir.upstream.heads[0].decode("latin-1").split("\r\n")[1:-2]
    assert head == [
        f"Host: 127.0.0.1:{weir.upstream.port}",
        "Authorization: Bearer a.b.c",
        "X-Twice: one",
        "Cookie: a=1",
        "X-Twice: two",
        "X-Odd: caf\xe9 \t;, =",
        "X-Empty: ",
        "Accept-Encoding: gzip, br",
        "Origin: https://app.example",
        "X-Forwarded-For: 203.0.113.7, 127.0.0.1",
        "X-Forwarded-Proto: http",
        f"X-Forwarded-Host: {peer}",
    ]


def test_a_body_with_a_length_passes(weir):
    bodies = []
    weir.upstream.play(keep(bodies))
    body = bytes(range(256)) * 40_000
    with weir.client() as client:
        client.send(b"POST /f HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        client.send(body)
        assert client.head()[0] == "HTTP/1.1 200 OK"
    assert bodies == [body]
    assert headers_of(weir.upstream.heads[0])["content-length"] == str(len(body))


def test_a_length_that_connection_names_still_frames_the_body(weir):
    bodies = []
    weir.upstream.play(keep(bodies))
    with weir.client() as client:
        head = b"POST /f HTTP/1.1\r\nHost: x\r\nConnection: content-length\r\n"
        client.send(head + b"Content-Length: 20\r\n\r\nGET /inner HTTP/1.1\r\n")
        assert client.head()[0] == "HTTP/1.1 200 OK"
    assert bodies == [b"GET /inner HTTP/1.1\r"]


def test_a_chunked_body_passes_piece_by_piece_with_its_trailers(weir):
    got, first = [], threading.Event()

    def script(talk):
        talk.head()
        got.append(talk.until(b"hello\r\n"))
        first.set()
        got.append(talk.until(b"\r\n\r\n"))
        talk.say(OK)

    weir.upstream.play(script)
    with weir.client() as client:
        client.send(b"POST /f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"5\r\nhello\r\n")
        assert first.wait(DEADLINE_S), "the first piece waits for the second"
        client.send(b"6;ext=1\r\n world\r\n0\r\nX-Sum: 9\r\n\r\n")
        assert client.head()[0] == "HTTP/1.1 200 OK"
    assert got == [b"5\r\nhello\r\n", b"6\r\n world\r\n0\r\nX-Sum: 9\r\n\r\n"]
    assert headers_of(weir.upstream.heads[0])["transfer-encoding"] == "chunked"


def test_a_small_piece_of_a_body_with_a_length_does_not_wait_for_the_rest(weir):
    first = threading.Event()

    def script(talk):
        talk.head()
        assert talk.read(3) == b"abc"
        first.set()
        assert talk.read(3) == b"def"
        talk.say(OK)

    weir.upstream.play(script)
    with weir.client() as client:
        client.send(b"PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        assert first.wait(DEADLINE_S)
        client.send(b"def")
        assert client.head()[0] == "HTTP/1.1 200 OK"


def test_the_upstream_is_asked_once_the_body_has_begun(weir):
    bodies = []
    weir.upstream.play(keep(bodies))
    with weir.client() as client:
        client.send(b"PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        wait_until(lambda: _in_flight(weir) == 1)
        assert weir.upstream.connections == 0
        client.send(b"b")
        wait_until(lambda: weir.upstream.connections == 1)
        client.send(b"ody")
        assert client.head()[0] == "HTTP/1.1 200 OK"
    assert bodies == [b"body"]


def test_the_upstream_decides_whether_a_client_that_expects_it_goes_on(weir):
    bodies = []

    def script(talk):
        assert b"Expect: 100-continue" in talk.head()
        talk.say(CONTINUE)
        bodies.append(talk.read(4))
        talk.say(OK)

    weir.upstream.play(script)
    with weir.client() as client:
        client.send(
            b"POST /f HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
        )
        assert client.until(b"\r\n\r\n") == CONTINUE
        client.send(b"body")
        assert client.head()[0] == "HTTP/1.1 200 OK"
    assert bodies == [b"body"]


def test_a_refusal_reaches_a_client_that_is_still_sending(weir):
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"

    def script(talk):
        talk.head()
        talk.say(refusal)
        while talk.read(65536):
            pass

    weir.upstream.play(script)
    with weir.client() as client:
        client.send(b"POST /f HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n")
        client.send(b"x" * 20_000_000)
        assert client.head()[0] == "HTTP/1.1 413 Too Large"
        assert client.read(3) == b"big"


def test_requests_share_connections_on_both_sides(weir):
    weir.upstream.play(answer(OK))
    with weir.client() as client:
        for number in range(5):
            client.get(f"/{number}")
            assert client.head()[0] == "HTTP/1.1 200 OK"
            assert client.read(2) == b"ok"
    assert len(weir.upstream.heads) == 5
    assert weir.upstream.connections == 1


def test_a_request_that_may_be_repeated_survives_a_stale_connection(weir):
    """The first connection answers once, and dies of the second request without an answer."""

    def script(talk):
        talk.head()
        talk.say(OK)
        if talk.number:
            return
        talk.head()
        talk.reset()

    weir.upstream.play(script)
    with weir.client() as client:
        for _ in range(2):
            client.get("/x")
            assert client.head()[0] == "HTTP/1.1 200 OK"
            client.read(2)
    assert len(weir.upstream.heads) == 3


def test_a_post_is_never_sent_twice_and_never_on_an_idle_connection(weir):
    def script(talk):
        while head := talk.head():
            if head.startswith(b"POST"):
                talk.reset()
                return
            talk.say(OK)

    weir.upstream.play(script)
    with weir.client() as client:
        client.get("/x")
        client.head()
        client.read(2)
        client.get("/x", "Content-Length: 0", method="POST")
        assert client.json()[0] == 502
    assert [head.split()[0] for head in weir.upstream.heads] == [b"GET", b"POST"]
    assert weir.upstream.connections == 2


def test_an_idle_connection_that_the_upstream_closes_is_closed_at_once(weir):
    gone = []

    def script(talk):
        talk.head()
        talk.say(OK)
        talk.connection.shutdown(1)
        gone.append(talk.until_gone())

    weir.upstream.play(script)
    with weir.client() as client:
        client.get("/x")
        client.head()
        wait_until(lambda: gone == ["end"], 12, "the end of the idle connection")


@pytest.mark.parametrize(
    "fields",
    [
        [f"X-{number}: y" for number in range(1900)],
        [f"X: {'y' * 60000}"],
        ["api_key: s3cret", "Content_Length: 7", "Script_Name: /foo", "-_: x"],
        [
            *("X-Forwarded-Proto: https", "X-Forwarded-Protocol: https", "X-Forwarded-Ssl: on"),
            *("X-Forwarded-Proto: http", "Front-End-Https: on", "X-Scheme: https"),
            *("X-Forwarded-Port: 443", "X-Forwarded-Prefix: /foo", "Forwarded: proto=https"),
            *("X-Forwarded-For: unknown", "X-Real-Ip: ::1", "Via: 1.1 x", "X-Request-Id: \xe9"),
            *("Path_Info: /x", "Remote_User: root", "Remote_Addr: ::1", "Wsgi_Url_Scheme: x"),
        ],
    ],
    ids=["many", "long", "underscores", "proxies"],
)
@pytest.mark.parametrize("target", ["/session", "/global/health"])
def test_nothing_that_a_client_or_a_proxy_adds_turns_a_good_request_bad(weir, fields, target):
    weir.upstream.play(answer(OK))
    with weir.client() as client:
        client.get(target, *fields)
        assert client.head()[0] == "HTTP/1.1 200 OK"
    if target == "/session":
        passed = weir.upstream.heads[0].decode("latin-1").split("\r\n")
        set_here = ("X-Forwarded-For", "X-Forwarded-Proto:")
        left_alone = [line for line in fields if not line.startswith(set_here)]
        assert [line for line in left_alone if line not in passed] == []


def test_letters_past_ascii_and_long_lines_pass_in_a_url(weir):
    for given, sent in (
        ("/d\u00e9?directory=/tmp/\u00e9", "/d%C3%A9?directory=/tmp/%C3%A9"),
        ("/x?" + "y" * 60000,) * 2,
    ):
        weir.upstream.play(answer(OK))
        with weir.client() as client:
            client.send(f"GET {given} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert client.head()[0] == "HTTP/1.1 200 OK"
        assert weir.upstream.heads[0].startswith(f"GET {sent} HTTP/1.1\r\n".encode())
