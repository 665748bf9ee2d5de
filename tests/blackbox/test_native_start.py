"""What clients of `weir up` ask for at their start, and what they are told when it is not well."""

import os
import signal
import time
from urllib.parse import quote

import pytest

from tests.blackbox.native import HERE, THERE
from tests.blackbox.weir_up import said, weir_up
from tests.openapi import check
from tests.processes import at_best, wait_until


@pytest.mark.parametrize(
    "path",
    [
        "/global/health",
        "/config",
        "/config/providers",
        "/provider",
        "/provider/auth",
        "/agent",
        "/path",
        "/project",
        "/project/current",
        "/session",
        "/session/status",
        "/permission",
        "/question",
        "/command",
        "/skill",
        "/mcp",
        "/lsp",
        "/formatter",
        "/vcs",
        "/experimental/capabilities",
        "/experimental/console",
        "/experimental/resource",
        "/experimental/workspace",
        "/experimental/workspace/status",
    ],
)
@pytest.mark.parametrize("directory", [HERE, THERE])
def test_what_clients_ask_for_at_their_start_is_as_opencode_has_it(up, path, directory):
    reply = up.call("GET", f"{path}?directory={quote(directory)}")
    assert reply.status == 200
    check(reply, "get", path)


def test_the_model_on_offer_is_the_one_that_was_set(up, provider):
    assert up.call("GET", "/config").body["model"] == "openai-compatible/m1"
    [offered] = up.call("GET", "/config/providers").body["providers"]
    assert offered["models"]["m1"]["api"]["url"] == provider.url


def test_the_directory_of_a_request_comes_from_query_or_header(up):
    by_query = up.call("GET", f"/path?directory={quote(THERE)}").body
    by_header = up.call("GET", "/path", headers={"x-opencode-directory": quote(THERE)}).body
    assert by_query["directory"] == by_header["directory"] == THERE


def test_unknown_routes_and_methods_answer_json(up):
    for method, path, status in (
        ("GET", "/no/such/route", 404),
        ("POST", "/no/such/route", 404),
        ("DELETE", "/session", 405),
        ("PUT", "/global/event", 405),
    ):
        reply = up.call(method, path)
        assert reply.status == status
        assert path in reply.body["data"]["message"]


def test_a_processor_that_hangs_or_is_gone_is_told_apart_and_health_never_waits(tmp_path):
    flags = ("--workers", "1", "--command-timeout", "1", "--hang-limit", "300")
    with weir_up(tmp_path, *flags) as up:
        [processor] = up.pids("processor")
        up.prompt(up.session(), "storm 1 9")

        def hung():
            """Ask one that hangs; one that has been silent for too long counts as gone."""
            os.kill(processor, signal.SIGSTOP)
            start = time.monotonic()
            reply = up.call("GET", "/session")
            waited_s = time.monotonic() - start
            if reply.status == 504:
                check_health(up)
            os.kill(processor, signal.SIGCONT)
            wait_until(up.answers)
            # Without the flag the answer would come after ten seconds.
            return reply.status == 504 and 1 <= waited_s < 8 and reply

        reply = wait_until(hung, what="504 within eight seconds")
        assert "within 1 s" in reply.body["data"]["message"]

        # The supervisor must not put a new one in its place for a while.
        up.running.process.send_signal(signal.SIGSTOP)
        os.kill(processor, signal.SIGKILL)
        gone = wait_until(
            lambda: (reply := up.call("GET", "/session")).status == 503 and reply, what="503"
        )
        assert gone.body["name"] == "ServiceUnavailableError"
        assert int(gone.headers["Retry-After"]) > 0
        check_health(up)
        up.running.process.send_signal(signal.SIGCONT)
        wait_until(up.answers)
        assert said(up.prompt(up.session(), "storm 1 9")) == "0000000| "


def check_health(up):
    def asked_s():
        start = time.monotonic()
        assert up.call("GET", "/global/health").body["healthy"] is True
        return time.monotonic() - start

    assert at_best(asked_s, 0.5) < 0.5
