"""Readers of four bad kinds at once, and what they cost those who read fast."""

import json
import socket
import threading
import time
from contextlib import ExitStack
from urllib.parse import quote

from tests.blackbox import crowd
from tests.blackbox.counted import Counted
from tests.blackbox.namespace import Namespace
from tests.envelopes import DIRECTORY
from tests.sse_client import SseClient

# Apart from those who read fast: what is measured is their way, not more events for all.
_THEIRS = f"/event?directory={quote(DIRECTORY)}"
_FAST = 5
_SECONDS, _EVERY_S = 3.0, 0.005


class BadReaders:
    """So many each that never read, read 1 KB a second, vanish, and half-close and stay.

    Attributes:
        count: of each kind.
        slow: those that read 1 KB a second.
    """

    def __init__(self, weir: Counted, cable: Namespace, count: int) -> None:
        self.count = count
        self.slow = crowd.Trickle()
        self._weir = weir
        self._cable = cable
        self._since = 0.0
        self._stack = ExitStack()
        self._never = self._some(weir.host)
        self._trickling = self._some(weir.host)
        half = self._some(weir.host)
        self._lost = cable.run(lambda: self._some(cable.here))
        for sock in half:
            sock.shutdown(socket.SHUT_WR)
        weir.settled("those who stay", readers=3 * count)

    def __enter__(self) -> "BadReaders":
        self.slow = self._stack.enter_context(crowd.trickling(self._trickling))
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stall(self) -> None:
        """Have those vanish who are to, and send more than anybody's connection holds."""
        self._cable.vanish()
        self._weir.flood()
        self._since = time.monotonic()

    def stalled_s(self) -> float:
        """Return how long ago that was."""
        return time.monotonic() - self._since

    def close(self) -> None:
        """Leave."""
        self._stack.close()

    def _some(self, host: str) -> list[socket.socket]:
        some = [crowd.reader(host, self._weir.port, _THEIRS) for _ in range(self.count)]
        self._stack.callback(crowd.close_all, some)
        return some


def delays_ms(weir: Counted) -> float:
    """Return the 99th percentile, in ms, of the way from the bus to readers that read at once."""
    delays: list[float] = []
    with ExitStack() as stack:
        streams = [stack.enter_context(SseClient(f"{weir.url}/event")) for _ in range(_FAST)]
        threads = [threading.Thread(target=_follow, args=(one, delays)) for one in streams]
        for stream in streams:
            stream.next()
        for thread in threads:
            thread.start()
        until, last = time.monotonic() + _SECONDS, False
        while not last:
            last = time.monotonic() >= until
            at = {"at": crowd.now_ns(), "last": last}
            weir.source.publish([{"type": "test.tick", "properties": at}], weir.folder)
            time.sleep(_EVERY_S)
        for thread in threads:
            thread.join()
    return sorted(delays)[len(delays) * 99 // 100]


def _follow(stream: SseClient, delays: list[float]) -> None:
    while True:
        event = json.loads(stream.next().data)
        if event["type"] == "test.tick":
            delays.append((crowd.now_ns() - event["properties"]["at"]) / 1e6)
            if event["properties"]["last"]:
                return
