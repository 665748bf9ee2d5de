"""The process that sends requests (probes) at fixed times, whether they are answered or not.

``python -m deploy.bench.prober`` takes a `ProbePlan` as its first line of input, and writes
``"probing"``. After any further line it waits for the answers still due and writes all probes so
far, ``[[due_ns, sent_ns, done_ns], …]`` on the monotonic clock; ``done_ns`` is 0 if no good answer
came in time. The process ends with its input.

Each probe has a connection of its own. Its answer is JSON, and complete at its ``Content-Length``
or, if it has none, when the server closes.

A probe is sent when it is due, whether earlier ones were answered or not (an open loop). So a
server that stands still gets as many probes as any other server, and each probe's latency counts
from when it was due. A probe is given up after half a minute, so that a server that hangs does not
use up all descriptors.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import selectors
import socket
import ssl
import sys
import time
from collections.abc import Iterator

import msgspec

from bus.origin import Origin
from deploy.bench.child import Child, started
from deploy.bench.connecting import make_room
from deploy.import_path import interpreter

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
GIVEN_UP_NS = 30 * 10**9
_START_S = 60.0
_ANSWER_S = 60.0
_GOOD = b"HTTP/1.1 200 "
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ENDS = (b"]", b"}", b"0\r\n\r\n")


class ProbePlan(msgspec.Struct, frozen=True):
    """What to request, and how often.

    Attributes:
        origin: the address of the server, and the login to send.
        route: the route to request.
        every_ms: the time between two requests.
    """

    origin: Origin
    route: str
    every_ms: float


class Probe:
    """One request, on a new connection that may not be established yet."""

    def __init__(self, due_ns: int, sock: socket.socket, request: bytes) -> None:
        self.times = [due_ns, time.monotonic_ns(), 0]
        self.socket = sock
        self._request = request
        self._secure = False
        self._answer = b""

    def advance(self, tls: ssl.SSLContext | None, host: str) -> int:
        """Do as much of the request as is possible without blocking.

        Returns:
            The events of the selector to wait for; 0 if the request has ended.
        """
        try:
            if tls is not None and not self._secure:
                self._shake_hands(tls, host)
            if self._request:
                self.socket.send(self._request)
                self._request = b""
            return 0 if self._is_over(self.socket.recv(65536)) else _READ
        except ssl.SSLWantReadError:
            return _READ
        except (BlockingIOError, ssl.SSLWantWriteError):
            return _WRITE if self._request else _READ
        except OSError:
            return 0

    def _shake_hands(self, tls: ssl.SSLContext, host: str) -> None:
        if not isinstance(self.socket, ssl.SSLSocket):
            self.socket.getpeername()  # raises OSError if the connection was refused
            self.socket = tls.wrap_socket(
                self.socket, server_hostname=host, do_handshake_on_connect=False
            )
        self.socket.do_handshake()
        self._secure = True

    def _is_over(self, piece: bytes) -> bool:
        self._answer += piece
        if self._is_whole(closed=not piece):
            self.times[2] = time.monotonic_ns()
        return bool(self.times[2]) or not piece

    def _is_whole(self, closed: bool) -> bool:
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or not head.startswith(_GOOD):
            return False
        if length := _LENGTH.search(head):
            return len(body) >= int(length[1])
        return closed and body.endswith(_ENDS)


class Prober:
    """Sends each probe when it is due, and collects the times of all probes.

    Args:
        plan: what to request; the route must answer 200 with JSON.
    """

    def __init__(self, plan: ProbePlan) -> None:
        origin = plan.origin
        self._host = origin.host
        found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)[0]
        self._family, self._address = found[0], found[4]
        self._tls = ssl.create_default_context() if origin.scheme == "https" else None
        lines = [f"GET {origin.target(plan.route)} HTTP/1.1", f"Host: {origin.authority}"]
        if origin.login is not None:
            lines.append(f"Authorization: {origin.login.basic}")
        self._request = "\r\n".join([*lines, "Connection: close", "", ""]).encode()
        self._every_ns = int(plan.every_ms * 1e6)
        self._over: list[list[int]] = []
        self._under_way: dict[Probe, None] = {}
        self._asked_ns = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        make_room(GIVEN_UP_NS // self._every_ns)

    def run(self) -> None:
        """Send probes until standard input ends."""
        due_ns = time.monotonic_ns()
        while True:
            while due_ns <= (now_ns := time.monotonic_ns()):
                self._send(due_ns)
                self._give_up(now_ns)
                due_ns += self._every_ns
            # `select` is used to wait, because its timeout is more precise than that of epoll,
            # which is a whole number of milliseconds.
            select.select([self._selector.fileno()], [], [], (due_ns - now_ns) / 1e9)
            for key, _ in self._selector.select(0):
                if key.data is not None:
                    self._go_on(key.data, key.events)
                elif not os.read(sys.stdin.fileno(), 4096):
                    return
                else:
                    self._asked_ns = time.monotonic_ns()
            if self._asked_ns:
                self._tell()

    def _send(self, due_ns: int) -> None:
        sock = socket.socket(self._family)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        sock.connect_ex(self._address)
        probe = Probe(due_ns, sock, self._request)
        self._under_way[probe] = None
        self._selector.register(sock, _WRITE, probe)

    def _give_up(self, now_ns: int) -> None:
        while (oldest := next(iter(self._under_way))).times[0] < now_ns - GIVEN_UP_NS:
            self._finish(oldest)

    def _go_on(self, probe: Probe, events: int) -> None:
        wanted = probe.advance(self._tls, self._host)
        if not wanted:
            self._finish(probe)
        elif wanted != events:
            self._selector.modify(probe.socket, wanted, probe)

    def _finish(self, probe: Probe) -> None:
        self._selector.unregister(probe.socket)
        del self._under_way[probe]
        self._over.append(probe.times)
        probe.socket.close()

    def _tell(self) -> None:
        due = [probe for probe in self._under_way if probe.times[0] <= self._asked_ns]
        if due and time.monotonic_ns() < self._asked_ns + GIVEN_UP_NS:
            return
        for probe in due:
            self._finish(probe)
        print(json.dumps(self._over), flush=True)
        self._asked_ns = 0


@contextlib.contextmanager
def prober(origin: Origin, route: str, every_ms: float) -> Iterator[Child]:
    """Run the process that sends probes during a ``with`` block."""
    with started([*interpreter(), "-m", "deploy.bench.prober"]) as probing:
        probing.tell(msgspec.to_builtins(ProbePlan(origin, route, every_ms)))
        probing.hear(_START_S)
        yield probing


def probes(probing: Child) -> list[list[int]]:
    """Return ``[due_ns, sent_ns, done_ns]`` of each probe so far; ``done_ns`` 0: no answer."""
    probing.tell("probes")
    found: list[list[int]] = probing.hear(_ANSWER_S)
    return found


def main() -> None:
    """Read the plan from standard input, and send probes until the input ends."""
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=ProbePlan)
    one = Prober(plan)
    print(json.dumps("probing"), flush=True)
    one.run()


if __name__ == "__main__":
    main()
