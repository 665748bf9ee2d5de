"""`weir doctor` against servers that are well, and servers that are ill in one way each."""

import io
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from unittest.mock import patch

import pytest

from deploy.doctor import command
from tests.blackbox.nginx import PROGRAM, nginx, nginx_with
from tests.blackbox.weir_up import NO_TWINS, prompt, weir_up
from tests.fakes.buffering_proxy import Compressed, Held, buffering_proxy
from tests.fakes.routes import reply, routes, silence, stream
from tests.fakes.upstream import upstream
from tests.processes import DEADLINE_S, ROOT, free_port, wait_until
from tests.tls import certificate

QUICK = ("--timeout", "5", "--heartbeat-ms", "1000", "--hold", "0")
SLOW = re.compile("^warn  (health|first|heartbeat) ", re.MULTILINE)
FAILED = re.compile(r"^fail +(\w+)", re.MULTILINE)
HEALTHY = reply(200, b'{"healthy":true,"version":"1.18.33"}')
CONNECTED = b'id: 0a:1\ndata: {"type":"server.connected","properties":{}}\n\n'
BEAT = b'id: 0a:1\ndata: {"type":"server.heartbeat","properties":{}}\n\n'
WEIR = {
    "/global/health": HEALTHY,
    "/weir/livez": reply(200, b'{"alive":true}'),
    "/weir/readyz": reply(200, b'{"ready":true,"reasons":[]}'),
}


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """A deployment that the tests share, with an event behind it."""
    flags = ("--workers", "1", "--heartbeat-ms", "1000")
    with weir_up(tmp_path_factory.mktemp("doctor"), *flags) as shared:
        shared.session()
        yield shared


def doctor(url, *flags):
    """Run the doctor as a process to its end."""
    words = [sys.executable, "-m", "deploy.cli", "doctor", "--url", url, *QUICK, *flags]
    environ = {**os.environ, **NO_TWINS, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        words, env=environ, capture_output=True, text=True, timeout=2 * DEADLINE_S
    )


def examined(url, *flags, **env):
    """Run the doctor in this process; return its exit status and what it prints."""
    words, out = ["--url", url, *QUICK, *flags], io.StringIO()
    with patch.dict(os.environ, env):
        return command.run(command.read(words, env), out), out.getvalue()


def findings(url, *flags, well, fails=(), **env):
    """Return what it has found, each check by its name, as one line each shows it.

    On a busy machine one that is well may look ill, or slow: then it is looked at once more;
    and so it is where other checks fail than the named ones.
    """
    for _ in range(4):
        status, said = examined(url, *flags, **env)
        slow = well and SLOW.search(said)
        others = fails and FAILED.findall(said) != list(fails)
        if status == (0 if well else 1) and not slow and not others:
            break
    assert status == (0 if well else 1), said
    lines = said.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "warn", "fail"}
    return {line.split()[1]: (line.split()[0], line) for line in lines}


def levels(found):
    return {what: level for what, (level, _) in found.items()}


def failure(url, *flags, **env):
    """Return the line of the one check that failed, which is the last."""
    for _ in range(4):
        found = findings(url, *flags, well=False, **env)
        failed = [line for level, line in found.values() if level == "fail"]
        if failed == [list(found.values())[-1][1]]:
            return failed[0]
    raise AssertionError(failed)


def test_a_server_that_is_well(up):
    found = findings(up.url, well=True)
    before = ("reach", "login", "server", "health", "ready", "bodies")
    of_the_stream = ("stream", "first", "heartbeat", "resume")
    expected = dict.fromkeys((*before, *of_the_stream), "ok")
    assert levels(found) | {"resume": "ok"} == expected
    assert "continues where it was cut" in found["resume"][1]
    assert "weir" in found["server"][1]


def test_the_same_for_machines(up):
    findings(up.url, well=True)
    done = doctor(up.url, "--json")
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert done.returncode == (0 if told["ok"] else 1)
    assert told["url"] == up.url
    assert told["ok"] is ("fail" not in {check["level"] for check in told["checks"]})
    assert [check["what"] for check in told["checks"]][:3] == ["reach", "login", "server"]


def test_a_processor_that_hangs_is_a_server_that_is_not_ready(tmp_path):
    flags = ("--workers", "1", "--heartbeat-ms", "1000", "--hang-limit", "300")
    with weir_up(tmp_path, *flags) as one:
        [pid] = one.pids("processor")
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: one.call("GET", "/weir/readyz").status == 503)
        found = findings(one.url, well=False)
        os.kill(pid, signal.SIGCONT)
    assert found["ready"][0] == "fail"
    assert re.search(r"has received nothing from processor \w+ for [0-9.]+ s; ", found["ready"][1])
    assert found["health"][0] in ("ok", "warn")


def test_a_server_that_is_down():
    assert "nothing listens at" in failure(f"http://127.0.0.1:{free_port()}")


def test_a_server_that_never_answers():
    with silence() as url:
        assert "no answer within 5.0 s" in failure(url)


def test_a_server_of_something_else():
    html = reply(200, b"<!doctype html>", Content_Type="text/html")
    with routes({"/global/health": html}) as url:
        line = failure(url)
    assert "neither weir nor opencode" in line
    assert "200 (text/html)" in line


def test_a_server_that_redirects():
    with routes({"/global/health": reply(302, b"", Location="https://elsewhere/")}) as url:
        assert "redirects to https://elsewhere/" in failure(url)


def test_an_opencode_without_weir():
    html = reply(200, b"<html>", Content_Type="text/html")
    talks = {"/global/health": HEALTHY, "/event": _beating(b""), "/weir/livez": html}
    with routes(talks) as url:
        found = findings(url, well=True)
    assert "opencode 1.18.33, without weir" in found["server"][1]
    assert f"weir up --upstream {url}" in found["server"][1]
    assert "events have no id" in found["resume"][1]
    assert {what for what, level in levels(found).items() if level == "warn"} == {
        "server",
        "resume",
    }


def test_events_that_come_in_batches():
    with routes({**WEIR, "/event": stream(CONNECTED, BEAT)}) as url:
        found = findings(url, well=False)
    assert "due seconds apart arrive together" in found["buffering"][1]


@pytest.mark.parametrize(
    ("resumed", "level", "words"),
    [
        (b',"resumed":true', "ok", "continues where it was cut"),
        (b',"resumed":false', "fail", "does not continue after a recent event"),
        (b"", "warn", "not supported"),
    ],
)
def test_what_a_server_says_to_a_reconnection(resumed, level, words):
    with routes({**WEIR, "/event": _beating(b"id: 0a:1\n", resumed)}) as url:
        found = findings(url, well=level != "fail")
    assert found["resume"][0] == level
    assert words in found["resume"][1]


def test_a_stream_that_stands_still():
    with routes({**WEIR, "/event": stream()}) as url:
        line = failure(url)
    assert "opens, but no event comes for 4.0 s" in line
    assert "loop is blocked" in line


def test_a_stream_without_heartbeats():
    with routes({**WEIR, "/event": stream(CONNECTED)}) as url:
        found = findings(url, well=False)
    assert found["first"][0] == "ok"
    assert "no heartbeat arrives within 4.0 s" in found["heartbeat"][1]


def test_a_stream_that_ends():
    with routes({**WEIR, "/event": stream(CONNECTED, stays=False)}) as url:
        found = findings(url, well=False)
    assert "does not stay open: the server ends the stream" in found["heartbeat"][1]


def test_a_stream_whose_head_does_not_come():
    def hold(handler):
        handler.connection.recv(1)

    with routes({**WEIR, "/event": hold}) as url:
        line = failure(url)
    assert "/event does not open within 5.0 s, although other routes answer" in line
    assert "proxy_buffering off" in line


def test_a_stream_that_is_full():
    with routes({**WEIR, "/event": reply(503)}) as url:
        line = failure(url)
    assert "/event answers 503" in line
    assert "--max-readers" in line


@pytest.mark.parametrize("size", [300, 100_000], ids=["for a while", "for good"])
def test_a_proxy_that_holds_the_stream_back(up, size):
    # For a while: for two heartbeats, which is more than the one and far less than the other.
    pace = ("--timeout", "1.5", "--heartbeat-ms", "5000") if size == 300 else ()
    with buffering_proxy(up.url, lambda: Held(size)) as url:
        line = failure(url, *pace)
    assert line.startswith("fail  buffering")
    assert ("is held back for" in line) == (size == 300)
    assert ("Via: 1.1 holdback" in line) == (size == 100_000)
    assert "proxy_buffering off" in line


@pytest.mark.skipif(PROGRAM is None, reason="needs nginx")
@pytest.mark.parametrize(
    ("settings", "what", "words"),
    [
        ("proxy_ignore_headers X-Accel-Buffering;", "buffering", "is in between (Server: nginx"),
        ("proxy_set_header Last-Event-ID '';", "resume", "pass Last-Event-ID on"),
        # Other answers may take a busy machine as long as this.
        (
            "} location = /event { proxy_pass WEIR; proxy_read_timeout 500ms;",
            "heartbeat",
            "the connection is cut after",
        ),
    ],
    ids=["buffers", "strips Last-Event-ID", "cuts what is silent"],
)
def test_a_real_nginx_that_is_set_up_wrong(up, tmp_path, settings, what, words):
    with nginx_with(tmp_path, up.url, settings.replace("WEIR", up.url)) as url:
        found = findings(url, well=False, fails=[what])
    assert [name for name, level in levels(found).items() if level == "fail"] == [what]
    assert words in found[what][1]


@pytest.mark.skipif(PROGRAM is None, reason="needs nginx")
def test_an_nginx_that_refuses_large_bodies_and_long_waits(up, tmp_path):
    settings = "proxy_buffering off; proxy_read_timeout 2s;"
    with nginx_with(tmp_path, up.url, settings) as url:
        found = findings(url, "--hold", "4", well=True)
    assert found["bodies"][0] == found["waits"][0] == "warn"
    words = "a proxy refuses a request of 2 MiB with status 413, but lets a request of 1 MiB pass"
    assert words in found["bodies"][1]
    assert "client_max_body_size 0;" in found["bodies"][1]
    assert "answers 504 to a request that waits for its answer, after 2." in found["waits"][1]
    assert "proxy_read_timeout 1d;" in found["waits"][1]


@pytest.mark.skipif(PROGRAM is None, reason="needs nginx")
def test_the_nginx_of_the_example_lets_all_of_it_pass(up, tmp_path):
    with nginx(tmp_path, up.url) as (plain, secure):
        flags = ("--hold", "2")
        found = findings(plain, *flags, well=True)
        assert (found["bodies"][0], found["waits"][0], "tabs" in found) == ("ok", "ok", False)
        trust = {"SSL_CERT_FILE": str(tmp_path / "cert.pem")}
        found = findings(secure, *flags, well=True, **trust)
        assert (found["bodies"][0], found["waits"][0]) == ("ok", "ok")
        assert "HTTP/2 is offered" in found["tabs"][1]


def test_a_proxy_that_cuts_what_waits():
    health = reply(200, b'{"healthy":true,"version":"1"}', Via="1.1 cutter")
    cut = {"/global/health": health, "/weir/hold?seconds=1": lambda handler: None}
    with routes({**WEIR, "/event": _beating(b"id: 0a:1\n"), **cut}) as url:
        found = findings(url, "--hold", "1", well=True)
    assert "a proxy cuts a request that waits for its answer, after" in found["waits"][1]


@pytest.mark.skipif(PROGRAM is None, reason="needs nginx")
def test_a_proxy_with_nothing_behind_it(tmp_path):
    with routes({}) as gone:
        pass
    with nginx_with(tmp_path, gone, "") as url:
        line = failure(url)
    assert "does not reach the server behind it: /global/health answers 502" in line
    assert "start `weir up`" in line


def test_a_proxy_that_refuses_the_routes_of_weir():
    with routes({**WEIR, "/weir/livez": reply(403), "/event": _beating(b"id: 0a:1\n")}) as url:
        found = findings(url, well=True)
    assert found["server"][0] == "warn"
    assert "refuses /weir/livez (403)" in found["server"][1]


def test_a_proxy_that_changes_who_may_store_and_transform():
    with routes({**WEIR, "/event": stream(CONNECTED, Cache_Control="no-cache")}) as url:
        found = findings(url, well=False)
    assert found["proxy"][0] == "warn"
    assert "has changed Cache-Control" in found["proxy"][1]


def test_a_proxy_that_compresses(up):
    with buffering_proxy(up.url, Compressed) as url:
        found = findings(url, well=True)
    assert "compresses the stream (gzip)" in found["proxy"][1]
    assert found["heartbeat"][0] == "ok"


def test_a_proxy_that_passes_on_at_once_is_told_and_no_fault(up):
    with buffering_proxy(up.url, lambda: bytes) as url:
        found = findings(url, well=True)
    assert found["proxy"][0] == "ok"
    assert "Via: 1.1 holdback" in found["proxy"][1]


def test_a_password(tmp_path):
    with upstream() as fake:
        fake.server.password = "Basic bWU6c2VjcmV0"
        flags = ("--workers", "1", "--heartbeat-ms", "1000")
        env = {"OPENCODE_SERVER_USERNAME": "me", "OPENCODE_SERVER_PASSWORD": "secret"}
        with weir_up(tmp_path, *flags, "--upstream", fake.url, env=env) as one:
            assert "requires a token, or a user name and a password" in failure(one.url)
            assert "refuses the given login" in failure(one.url.replace("://", "://me:wrong@"))
            right = findings(one.url.replace("://", "://me:secret@"), well=True)
            assert "requires a login, and accepts the given login" in right["login"][1]
            assert findings(one.url, well=True, **env)["login"][0] == "ok"


def test_a_password_that_nobody_asks_for(up):
    found = findings(up.url.replace("://", "://me:secret@"), well=True)
    assert found["login"][0] == "warn"
    assert "secret" not in "".join(line for _, line in found.values())


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


def test_tls(certified):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certified)
    with routes({**WEIR, "/event": _beating(b"id: 0a:1\n")}, tls=tls) as url:
        assert "certificate is not trusted" in failure(url)
        assert "use https://" in failure(url.replace("https", "http"))
        found = findings(url, well=True, SSL_CERT_FILE=str(certified[0]))
    assert found["heartbeat"][0] == "ok"
    assert found["tabs"][0] == "warn"
    assert "HTTP/2 is not offered" in found["tabs"][1]


def test_no_tls(up):
    line = failure(up.url.replace("http", "https"))
    assert "no TLS at" in line
    assert "try http://" in line


def test_a_url_that_is_none_is_refused_in_one_line():
    refused = doctor("nowhere")
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith("weir doctor: --url: ")


def test_a_busy_stream_is_no_sick_one(up):
    session = up.session()
    up.call("POST", f"/session/{session}/prompt_async", prompt("rate 200 100000"))
    found = findings(up.url, well=True)
    up.call("POST", f"/session/{session}/abort")
    assert found["heartbeat"][0] in ("ok", "warn")


def _beating(event_id, resumed=b""):
    """A stream as it should be, with this line for an id and this word about resumption."""
    greeting = b'data: {"type":"server.connected","properties":{"x":1' + resumed + b"}}\n\n"

    def talk(handler):
        stream(event_id + greeting, stays=False)(handler)
        handler.connection.settimeout(1)
        try:
            while not handler.connection.recv(1):
                return
        except TimeoutError:
            handler.wfile.write(event_id + BEAT.partition(b"\n")[2])
        handler.connection.settimeout(DEADLINE_S)
        handler.connection.recv(1)

    return talk
