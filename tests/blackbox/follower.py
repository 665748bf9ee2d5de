"""A gateway of one worker on any buses, and a reader that holds what it says."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.blackbox.processor_driver import Processor
from tests.http_client import call
from tests.processes import DEADLINE_S, Running, free_port, running, wait_until
from tests.reference import State
from tests.sse_client import SseClient


@contextmanager
def gateway(folder: Path, *buses: str, flags: Sequence[str] = ()) -> Iterator[tuple[Running, str]]:
    """The process of a gateway with one worker, which beats fast, and its URL."""
    port = free_port()
    given = ["--bus", ",".join(buses), "--port", str(port), "--workers", "1"]
    given += ["--heartbeat-ms", "1000", *flags]
    with running("-m", "gateway", *given, log=folder / "gateway.log", cwd=folder) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _serves(url), what="a worker")
        yield process, url


def _serves(url: str) -> bool:
    try:
        return call("GET", f"{url}/weir/livez").status == 200
    except OSError:
        return False


@contextmanager
def stopped(one: Processor) -> Iterator[Callable[[], None]]:
    """A processor that stands still for a ``with`` block, or until what this yields is called."""
    os.kill(one.pid, signal.SIGSTOP)
    try:
        yield partial(os.kill, one.pid, signal.SIGCONT)
    finally:
        os.kill(one.pid, signal.SIGCONT)


class Follower:
    """Reads a stream, and holds what it says.

    Attributes:
        events: all of them so far, less the gateway's own.
        resumed: what the first event says.
        state: what a client holds by them.
        last_id: the last id that came.
    """

    def __init__(self, stream: SseClient) -> None:
        self._stream = stream
        self.state = State()
        self.events: list[dict[str, Any]] = []
        self.last_id = ""
        self.resumed = self.read()["properties"]["resumed"]

    def until_beats(self, count: int) -> list[dict[str, Any]]:
        """Read until the stream has beaten so often, and return what came before that."""
        come = len(self.events)
        for _ in range(count):
            while self.read()["type"] != "server.heartbeat":
                pass
        return self.events[come:]

    def read(self) -> dict[str, Any]:
        """Return the next event."""
        event = self._stream.next()
        self.last_id = event.id or self.last_id
        payload: dict[str, Any] = json.loads(event.data)["payload"]
        if not payload["type"].startswith("server."):
            self.events.append(payload)
            self.state.apply(payload)
        return payload

    def until_it_holds(self, answer: dict[str, Any], within_s: float = DEADLINE_S) -> None:
        """Read until a turn's answer is there; beats keep this from waiting for ever."""
        until = time.monotonic() + within_s
        session = answer["info"]["sessionID"]
        while answer not in self.state.messages_of(session):
            self.read()
            assert time.monotonic() < until, f"not within {within_s} s"


@contextmanager
def following(url: str, last_id: str = "") -> Iterator[Follower]:
    """Follow all that a server says, whatever is superseded included."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with SseClient(f"{url}/global/event?superseded=keep", headers) as stream:
        yield Follower(stream)
