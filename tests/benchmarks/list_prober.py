"""The probing process for a page that may be a list, of a length told or not.

``python -m tests.benchmarks.list_prober URL EVERY_MS``: as `tests.benchmarks.prober`, with a new
connection for each probe. An answer is whole at its ``Content-Length``, or when the server closes.
"""

import json
import re
import selectors
import sys
import time

from tests.benchmarks.prober import Probe, Prober

_GOOD = b"HTTP/1.1 200 "
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ENDS = (b"]", b"}", b"0\r\n\r\n")


class ListProbe(Probe):
    """One request, whose answer is any JSON."""

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


class ListProber(Prober):
    """Sends such probes when they are due."""

    def _send(self, due_ns: int) -> None:
        sock = self._connecting()
        probe = ListProbe(due_ns, sock, self._request)
        self._under_way.add(probe)
        probe.send()
        wanted = selectors.EVENT_READ if probe.sent else selectors.EVENT_WRITE
        self._selector.register(sock, wanted, probe)


def main(url: str, every_ms: str) -> None:
    """Probe `url`."""
    prober = ListProber(url, int(float(every_ms) * 1e6), keep=False)
    print(json.dumps("probing"), flush=True)
    prober.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
