"""The fault proxy does what the seed says, to the byte."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.fault import ENDS, KINDS, Fault, fault
from tests.faults.processes import fault_proxy
from tests.processes import DEADLINE_S, free_port, wait_until

ANSWER = bytes(range(256)) * 1024

TRICKLE_BYTES_S = 64 / 0.05


class Server:
    """Says `ANSWER` to whoever connects, then waits for the end.

    Attributes:
        ends: of its connections: "end", "reset".
    """

    def __init__(self, listener: socket.socket) -> None:
        self.ends: list[str] = []
        self._listener = listener
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(DEADLINE_S)
            self.ends.append(self._end(connection))
            time.sleep(0.2)  # a server that goes on after a half-close, for a while

    def _end(self, connection: socket.socket) -> str:
        try:
            connection.sendall(ANSWER)
            return "end" if connection.recv(1) == b"" else "said something"
        except OSError as error:
            return "reset" if isinstance(error, ConnectionError) else "silence"


@contextmanager
def served() -> Iterator[tuple[str, Server]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", Server(listener)


def through(url: str) -> tuple[bytes, str, float]:
    """Connect; return what comes, how it ends, and the seconds it took."""
    host, _, port = url.removeprefix("http://").partition(":")
    start, got = time.monotonic(), b""
    with socket.create_connection((host, int(port)), DEADLINE_S) as connection:
        while True:
            try:
                data = connection.recv(65536)
            except ConnectionResetError:
                return got, "reset", time.monotonic() - start
            if not data:
                return got, "end", time.monotonic() - start
            got += data
            if len(got) == len(ANSWER):
                return got, "all", time.monotonic() - start


def seed_of(kind: str) -> tuple[int, Fault]:
    """Find a seed whose first connection meets `kind` in the midst of the answer."""
    found = ((seed, fault(seed, 0, 0)) for seed in itertools.count())
    return next(
        one
        for one in found
        if one[1].kind == kind
        and 999 < one[1].after_bytes < 99_999
        and one[1].spared_bytes < 99_999
    )


def test_a_seed_names_every_fault_of_every_lane():
    plans = [[fault(7, lane, n) for n in range(50)] for lane in range(4)]
    assert plans == [[fault(7, lane, n) for n in range(50)] for lane in range(4)]
    assert plans[0] != plans[1]
    assert plans[0] != [fault(8, 0, n) for n in range(50)]
    assert {one.kind for lane in plans for one in lane} == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "reader_sees", "server_sees"),
    [
        ("reset", "reset", "reset"),
        ("close", "end", "reset"),
        ("half-close to reader", "end", "reset"),
        ("half-close to server", "reset", "end"),
        ("black hole", "reset", "reset"),
        ("latency", "reset", "reset"),
        ("trickle", "reset", "reset"),
    ],
)
def test_each_fault_happens_where_it_is_planned(kind, reader_sees, server_sees):
    seed, planned = seed_of(kind)
    with served() as (url, server), fault_proxy(url, seed) as proxy:
        got, how, seconds = through(proxy.urls[0])
        assert how == reader_sees
        assert ANSWER.startswith(got)
        wait_until(lambda: server.ends == [server_sees], what=f"{server_sees}, not {server.ends}")
        assert proxy.met() == {kind: 1}
    if how == "end":
        assert len(got) == planned.after_bytes
    elif how == "reset":
        # A reset throws away what waits.
        most = planned.after_bytes + (0 if kind in ENDS else planned.spared_bytes)
        assert len(got) <= most + planned.seconds * TRICKLE_BYTES_S
    if kind in ("black hole", "trickle"):
        assert seconds >= planned.seconds * 0.8


def test_the_second_connection_of_a_lane_has_the_next_fault_and_none_when_it_is_calm():
    found = ((seed, fault(seed, 1, 0), fault(seed, 1, 1)) for seed in itertools.count())
    seed, _, second = next(
        one
        for one in found
        if (one[1].kind, one[2].kind) == ("reset", "close") and one[2].after_bytes > 0
    )
    with served() as (url, _), fault_proxy(url, seed, lanes=2) as proxy:
        assert through(proxy.urls[1])[1] == "reset"
        assert len(through(proxy.urls[1])[0]) == min(second.after_bytes, len(ANSWER))
        proxy.calm()
        assert [through(proxy.urls[1])[1] for _ in range(5)] == ["all"] * 5


def test_a_server_that_is_not_there_ends_the_connection():
    with fault_proxy(f"http://127.0.0.1:{free_port()}", seed=1) as proxy:
        assert through(proxy.urls[0])[0] == b""
