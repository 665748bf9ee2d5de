"""The good readers: ``python -m tests.hostile.follower URL SESSION READERS``.

They follow a turn of stamped deltas. On any input the process says
``{"delays": [[sent_ns, came_ns], …], "wrong": […]}`` of all readers so far. It ends with its
input.
"""

import json
import os
import re
import selectors
import sys
import time
from urllib.parse import urlsplit

from tests.benchmarks.reader import Reader

_STAMP = re.compile(rb"(\d{7})\|(\d{19})\|")
_STAMP_BYTES = 28
_ROOM = 1 << 20


class Good:
    """One reader, and which delta it expects next."""

    def __init__(self, address: tuple[str, int], path: str) -> None:
        self.reader = Reader(address, path, _ROOM)
        self.wrong = ""
        self._rest = b""
        self._next: int | None = None

    def receive(self, delays: list[tuple[int, int]]) -> None:
        """Take what has come."""
        try:
            self.reader.receive()
        except (EOFError, OSError) as error:
            self.wrong = f"a good reader was cut: {error!r}"
            return
        now, data, end = time.monotonic_ns(), self._rest + self.reader.take(), 0
        for match in _STAMP.finditer(data):
            number, end = int(match[1]), match.end()
            if self._next is None or number == self._next:
                self._next = number + 1
                delays.append((int(match[2]), now))
            elif number > self._next:
                self.wrong = f"a good reader lost deltas {self._next} to {number - 1}"
                self._next = number + 1
        self._rest = data[max(end, len(data) - _STAMP_BYTES) :]


def main(url: str, session: str, count: str) -> None:
    """Follow until the input ends."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)
    delays: list[tuple[int, int]] = []
    selector = selectors.DefaultSelector()
    readers = [Good(address, f"/global/event?session={session}") for _ in range(int(count))]
    for good in readers:
        selector.register(good.reader.socket, selectors.EVENT_READ, good)
    selector.register(sys.stdin, selectors.EVENT_READ)
    print(json.dumps("open"), flush=True)
    while True:
        for key, _ in selector.select():
            if key.data is not None:
                key.data.receive(delays)
                if key.data.wrong.startswith("a good reader was cut"):
                    selector.unregister(key.fileobj)
            elif not os.read(sys.stdin.fileno(), 4096):
                return
            else:
                wrong = [good.wrong for good in readers if good.wrong]
                print(json.dumps({"delays": delays, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
