"""The bounds of `weir up` as clients meet them, in one deployment that has small ones."""

import http.client
import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.blackbox.native import messages_of
from tests.blackbox.weir_up import Up, prompt, weir_up
from tests.processes import DEADLINE_S, wait_until

FLAGS = [
    *("--workers", "1", "--stall-timeout", "5", "--max-message", "4", "--max-turns", "2"),
    *("--max-prompts", "3", "--state-quota", "64"),
]
TEXT = "x" * 3_000_000


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with weir_up(tmp_path_factory.mktemp("bounds"), *FLAGS) as shared:
        yield shared


@pytest.fixture
def full(up: Up) -> str:
    """A session with four messages of 3 MB."""
    session = up.session()
    for _ in range(4):
        reply = up.call("POST", f"/session/{session}/message", prompt(TEXT, noReply=True))
        assert reply.status == 200
        assert len(reply.body["parts"][0]["text"]) == len(TEXT)
    return session


def asked(up: Up, path: str) -> socket.socket:
    """Return a connection on which an answer begins that is not read."""
    address = urlsplit(up.url)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    sock.connect((address.hostname, address.port))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: weir\r\n\r\n".encode())
    assert sock.recv(12) == b"HTTP/1.1 200"
    return sock


def ends(sock: socket.socket) -> bytes:
    """Return the last bytes of what comes until the connection ends, however it ends."""
    sock.settimeout(DEADLINE_S)
    last = b""
    try:
        while data := sock.recv(1 << 16):
            last = (last + data)[-16:]
    except ConnectionResetError:
        return b""
    return last


def test_a_long_list_is_one_json_array_in_order(up: Up, full: str) -> None:
    reply = up.call("GET", f"/session/{full}/message")
    assert reply.headers["Transfer-Encoding"] == "chunked"
    assert [len(message["parts"][0]["text"]) for message in reply.body] == [len(TEXT)] * 4
    page = up.call("GET", f"/session/{full}/message?limit=1")
    assert page.body == reply.body[-1:]
    assert page.headers["X-Next-Cursor"]


def test_the_connection_serves_on_behind_a_long_list(up: Up, full: str) -> None:
    address = urlsplit(up.url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port)) as connection:
        for _ in range(2):
            connection.request("GET", f"/session/{full}/message")
            assert len(json.loads(connection.getresponse().read())) == 4


def test_a_list_whose_session_goes_is_cut_and_not_ended(up: Up, full: str) -> None:
    with asked(up, f"/session/{full}/message") as sock:
        assert up.call("DELETE", f"/session/{full}").status == 200
        assert not ends(sock).endswith(b"0\r\n\r\n")
    up.running.says("an answer is cut off: Message not found")


def test_a_client_that_reads_nothing_is_reset_after_the_stall_timeout(up: Up, full: str) -> None:
    with asked(up, f"/session/{full}/message") as sock:
        # A reset leaves nothing to be read, while an end leaves what came before it.
        wait_until(lambda: sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), what="a reset")


def test_a_prompt_that_is_too_long_is_refused_by_the_bound(up: Up) -> None:
    reply = up.call("POST", f"/session/{up.session()}/message", prompt("x" * (4 << 20)))
    assert (reply.status, reply.body["data"]["bound"]) == (413, "--max-message")


def test_turns_wait_and_prompts_past_the_bound_are_refused(up: Up) -> None:
    sessions = [up.session() for _ in range(6)]
    replies = [
        up.call("POST", f"/session/{one}/prompt_async", prompt("rate 1 100000"))
        for one in sessions[:5]
    ]
    assert [reply.status for reply in replies] == [204] * 5
    # A session is busy from the acceptance of its prompt on, also while its turn waits.
    assert len(up.call("GET", "/session/status?directory=/srv/demo").body) == 5
    wait_until(lambda: sum(len(messages_of(up, one)) == 2 for one in sessions) == 2)
    last = up.call("POST", f"/session/{sessions[5]}/prompt_async", prompt("x"))
    assert (last.status, last.body["name"]) == (429, "TooManyRequestsError")
    assert last.body["data"]["bound"] == "--max-prompts"
    assert last.headers["Retry-After"]
    for one in sessions[:5]:
        assert up.call("POST", f"/session/{one}/abort").status == 200
    assert up.prompt(sessions[5], "storm 1 1")["info"]["finish"] == "stop"


def test_a_store_that_another_process_holds_is_worth_another_try(up: Up, tmp_path_factory) -> None:
    session = up.session()
    [file] = tmp_path_factory.getbasetemp().glob("bounds0/state/weir.db")
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        def refused() -> bool:
            """Prompt; of a processor that a busy machine holds up, something else is said."""
            reply = up.call("POST", f"/session/{session}/prompt_async", prompt("x"))
            assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
            return "database is locked" in reply.body["data"]["message"]

        wait_until(refused, what="a refusal")
        other.execute("ROLLBACK")
    assert up.prompt(session, "storm 1 1")["info"]["finish"] == "stop"


def test_a_store_past_its_quota_says_so_until_sessions_are_removed(up: Up) -> None:
    session = up.session()
    path, body = f"/session/{session}/message", prompt(TEXT, noReply=True)

    def over() -> bool:
        reply = up.call("POST", path, body)
        if reply.status == 507:
            assert reply.body["data"]["bound"] == "--state-quota"
            assert "Retry-After" not in reply.headers
        return reply.status == 507

    wait_until(over, what="a refusal")
    ready = wait_until(lambda: (r := up.call("GET", "/weir/readyz")).status == 503 and r)
    assert any("--state-quota" in reason for reason in ready.body["reasons"])
    assert up.call("DELETE", f"/session/{session}").status == 200
    # What is deleted is freed in slices.
    wait_until(lambda: up.call("GET", "/weir/readyz").status == 200)
    assert up.call("POST", f"/session/{up.session()}/message", body).status == 200
