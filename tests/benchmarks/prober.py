"""The probing process: asks for a page on a fixed schedule, whether answers come or not.

``python -m tests.benchmarks.prober URL EVERY_MS`` says ``"probing"``. Told anything, it
waits for the answers still due and says all probes so far, ``[[due_ns, sent_ns, done_ns], …]`` on
the monotonic clock; ``done_ns`` is 0 where no good answer came in time. It ends with its input.

Each probe has a connection of its own. Its answer is JSON, and whole at its ``Content-Length`` or,
if it tells none, when the server closes.

The loop is open: a probe is sent when it is due, so a server that stands still meets as many of
them as one that does not, and each waits from the moment it was due.
"""

import contextlib
import json
import os
import re
import select
import selectors
import socket
import sys
import time
from urllib.parse import urlsplit

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
GIVEN_UP_NS = 20 * 10**9
_GOOD = b"HTTP/1.1 200 "
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ENDS = (b"]", b"}", b"0\r\n\r\n")


class Probe:
    """One request, on a connection that may still be on its way."""

    def __init__(self, due_ns: int, sock: socket.socket, request: bytes) -> None:
        self.times = [due_ns, time.monotonic_ns(), 0]
        self.socket = sock
        self.sent = False
        self._request = request
        self._answer = b""

    def send(self) -> None:
        """Send the request if the connection stands."""
        with contextlib.suppress(OSError):
            self.socket.send(self._request)
            self.sent = True

    def receive(self) -> bool:
        """Take what there is; tell whether the probe is over, well or not."""
        try:
            piece = self.socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            return True
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
    """Sends probes when they are due, and collects their times.

    Args:
        url: what to ask for; it answers 200 with JSON.
        every_ns: time between two probes.
    """

    def __init__(self, url: str, every_ns: int) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
        self._request = "\r\n".join([*lines, "", ""]).encode()
        self._every_ns = every_ns
        self._over: list[list[int]] = []
        self._under_way: set[Probe] = set()
        self._asked_ns = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ)

    def run(self) -> None:
        """Probe until the input ends."""
        due_ns = time.monotonic_ns()
        while True:
            while due_ns <= (now_ns := time.monotonic_ns()):
                self._send(due_ns)
                due_ns += self._every_ns
            # `select` waits with more precision than epoll, whose unit is a millisecond.
            select.select([self._selector.fileno()], [], [], (due_ns - now_ns) / 1e9)
            for key, _ in self._selector.select(0):
                if key.data is not None:
                    self._go_on(key.data)
                elif not os.read(sys.stdin.fileno(), 4096):
                    return
                else:
                    self._asked_ns = time.monotonic_ns()
            if self._asked_ns:
                self._tell()

    def _send(self, due_ns: int) -> None:
        sock = self._connecting()
        probe = Probe(due_ns, sock, self._request)
        self._under_way.add(probe)
        probe.send()
        self._selector.register(sock, _READ if probe.sent else _WRITE, probe)

    def _connecting(self) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        sock.connect_ex(self._address)
        return sock

    def _go_on(self, probe: Probe) -> None:
        if probe.sent:
            if probe.receive():
                self._finish(probe)
            return
        probe.send()
        if probe.sent:
            self._selector.modify(probe.socket, _READ, probe)
        else:
            self._finish(probe)  # writable and yet not to be written to: it was refused

    def _finish(self, probe: Probe) -> None:
        self._selector.unregister(probe.socket)
        self._under_way.discard(probe)
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


def main(url: str, every_ms: str) -> None:
    """Probe `url`."""
    prober = Prober(url, int(float(every_ms) * 1e6))
    print(json.dumps("probing"), flush=True)
    prober.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
