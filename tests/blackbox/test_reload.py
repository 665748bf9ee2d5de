"""A worker's end: by a stop, a reload, or fewer workers. Readers are let go and lose nothing."""

import json
import math
import os
import signal
import socket
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from acp_client.api.stream import EventStream
from bus.origin import Origin
from tests.blackbox.weir_up import lives, prompt, said, texts, weir_up
from tests.http_client import call
from tests.processes import wait_until
from tests.raw_client import RawClient
from tests.reference import fold
from tests.sse_client import SseClient

DRAIN_S = 2.0  # the default
LATE_S = 40.0
"""What hundreds of threads on a busy machine may add; weir itself would wait for a minute."""
READERS = 200
IDLES = 2
"""How often a turn that is stopped says that it is over; its last words come in between."""
TO_SPEAK_S = 0.4
GUNICORN_S = 30.0
"""What gunicorn itself grants workers to their end."""


def workers_of(weir, count):
    """Wait until so many workers live."""

    def there():
        started = weir.running.output.count("Booting worker with pid")
        return started - weir.running.output.count("Worker exiting") == count

    wait_until(there, what=f"{count} workers")


class Follower:
    """A reader that goes on to the end of a turn as clients do: by its last id, when told to.

    Attributes:
        payloads: all it was told, but for heartbeats.
        resumed: what each of its streams began with.
        lost_at: when it was let go.
    """

    def __init__(self, url, session):
        self.payloads = []
        self.resumed = []
        self.lost_at = []
        self.done = threading.Event()
        self._idles = 0
        self._stream = EventStream(
            Origin.parse(url), query={"session": session}, notice=lambda _: self._lost()
        )
        threading.Thread(target=self._follow, daemon=True).start()

    def _lost(self):
        self.lost_at.append(time.monotonic())

    def _follow(self):
        for event in self._stream:
            told = json.loads(event.data)["payload"]
            if told["type"] == "server.connected":
                self.resumed.append(told["properties"]["resumed"])
            elif told["type"] != "server.heartbeat":
                self.payloads.append(told)
            self._idles += told["type"] == "session.idle"
            if self._idles == IDLES:
                self.done.set()
                return


@pytest.mark.timeout(900)
def test_a_reload_loses_and_doubles_nothing_for_hundreds_of_readers(short_folder):
    with weir_up(short_folder, "--workers", "2") as up, ThreadPoolExecutor(1) as pool:
        session = up.session()
        readers = [Follower(up.url, session) for _ in range(READERS)]
        wait_until(lambda: all(reader.resumed for reader in readers), what="all streams")
        up.call("POST", f"/session/{session}/prompt_async", prompt("rate 10 100000"))
        wait_until(lambda: all(len(one.payloads) > 10 for one in readers), what="first words")
        old, began = up.workers(2), time.monotonic()
        health = pool.submit(healths, up.url, began + 2 * DRAIN_S)
        os.kill(up.pids("gateway")[0], signal.SIGHUP)
        wait_until(lambda: not any(map(lives, old)), what="the end of the old workers")
        assert health.result() == []
        wait_until(lambda: all(one.lost_at for one in readers), what="a cut of every stream")
        assert up.patiently("POST", f"/session/{session}/abort").body is True
        wait_until(lambda: all(one.done.is_set() for one in readers), what="the end of the turn")
        stored = up.call("GET", messages(session)).body
    for reader in readers:
        assert reader.resumed == [False, *[True] * len(reader.lost_at)]
        shown = texts(fold(reader.payloads).messages_of(session))
        assert texts(stored).items() <= shown.items()
        told = [one["id"] for one in reader.payloads if one["type"] != "message.part.delta"]
        assert len(told) == len(set(told))
    lost_s = sorted(reader.lost_at[0] - began for reader in readers)
    print(f"cuts after {lost_s[0]:.1f} to {lost_s[-1]:.1f} s, median {lost_s[READERS // 2]:.1f} s")
    assert lost_s[-1] < DRAIN_S + LATE_S
    assert statistics.pstdev(lost_s) > DRAIN_S / 8  # evenly spread, it is DRAIN_S / 3.5


def healths(url, until):
    """Ask for health again and again on new connections; return what went wrong."""
    failed = []
    while time.monotonic() < until:
        failed += failure(url)
    return failed


def failure(url):
    """Ask for health on a new connection; return what goes wrong, if it does.

    Who does not speak at once, since the machine is busy, may be too late for a worker that ends.
    """
    began = time.monotonic()
    spoke_s = math.inf
    try:
        with RawClient(url) as client:
            client.get("/global/health")
            spoke_s = time.monotonic() - began
            status, _, body = client.json()
            assert (status, body["healthy"]) == (200, True)
    except Exception as error:
        return [error] if spoke_s < TO_SPEAK_S else []
    return []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR1])
def test_no_request_fails_meanwhile(gateway, number):
    weir = gateway("--drain", "0.5", workers=2)
    failed, over = [], threading.Event()

    def ask():
        while not over.is_set():
            failed.extend(failure(weir.url))

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(ask)
        os.kill(weir.running.process.pid, number)
        wait_until(lambda: f"Handling signal: {number.name[3:].lower()}" in weir.running.output)
        ending = {signal.SIGHUP: 2, signal.SIGTTOU: 1}.get(number, 0)
        wait_until(lambda: weir.running.output.count("Worker exiting") == ending)
        over.set()
    assert not failed
    assert call("GET", f"{weir.url}/global/health").status == 200


def test_connections_that_wait_for_nothing_are_closed_without_a_word(gateway):
    weir = gateway(workers=1)
    with RawClient(weir.url) as fresh, RawClient(weir.url) as idle:
        fresh.send(b"\r\n")  # no request yet, but the kernel hands the connection over
        idle.get("/global/health")
        assert idle.json()[0] == 200
        began = time.monotonic()
        os.kill(weir.running.process.pid, signal.SIGHUP)
        assert fresh.rest()[0] == b""
        assert time.monotonic() - began > TO_SPEAK_S
        assert idle.rest()[0] == b""
    workers_of(weir, 1)
    assert "Traceback" not in weir.running.output


def test_a_second_master_takes_over_the_socket(gateway):
    """SIGUSR2, as gunicorn's documentation has it for an upgrade."""
    weir = gateway("--drain", "0.5", workers=1)
    master = weir.running.process
    os.kill(master.pid, signal.SIGUSR2)
    workers_of(weir, 2)
    for _ in range(20):
        assert call("GET", f"{weir.url}/global/health").status == 200
    second = children(master.pid) - workers_started(weir)
    assert len(second) == 1
    os.kill(second.pop(), signal.SIGTERM)
    workers_of(weir, 1)
    assert call("GET", f"{weir.url}/global/health").status == 200


def children(pid):
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def workers_started(weir):
    lines = weir.running.output.splitlines()
    return {int(line.rpartition(" ")[2]) for line in lines if "Booting worker with pid" in line}


def test_a_stop_lets_readers_go_by_a_reset(gateway):
    weir = gateway("--drain", "1", workers=1)
    streams = [SseClient(f"{weir.url}/global/event") for _ in range(20)]
    for stream in streams:
        stream.next()
    os.kill(weir.running.process.pid, signal.SIGTERM)
    assert {end_of(stream) for stream in streams} == {"reset"}
    assert weir.running.ends(GUNICORN_S * 0.9) == 0
    assert "Traceback" not in weir.running.output
    assert "SIGKILL" not in weir.running.output


def end_of(stream):
    try:
        while True:
            stream.next()
    except ConnectionResetError:
        return "reset"
    except EOFError:
        return "end"


def test_a_reload_lets_a_request_in_flight_finish(short_folder):
    with weir_up(short_folder, "--workers", "1") as up, ThreadPoolExecutor(1) as pool:
        session = up.session()
        with SseClient(f"{up.url}/global/event?session={session}") as stream:
            answer = pool.submit(up.prompt, session, "rate 20 100000")
            stream.until(lambda event: event["payload"]["type"] == "message.part.delta")
        os.kill(up.pids("gateway")[0], signal.SIGHUP)
        wait_until(lambda: len(up.pids("worker")) == 2, what="a new worker beside the old one")
        assert up.patiently("POST", f"/session/{session}/abort").body is True
        assert said(answer.result()) == said(up.call("GET", messages(session)).body[-1])
        up.workers(1)


def messages(session):
    return f"/session/{session}/message"


def test_a_stop_without_readers_takes_no_window(gateway):
    weir = gateway("--drain", "30", workers=2)
    idle = socket.create_connection(("127.0.0.1", int(weir.url.rpartition(":")[2])))
    idle.sendall(b"GET /global/health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.recv(1000).startswith(b"HTTP/1.1 200")
    os.kill(weir.running.process.pid, signal.SIGTERM)
    assert weir.running.ends(GUNICORN_S * 0.9) == 0
    idle.close()
