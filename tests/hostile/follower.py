"""The good readers: ``python -m tests.hostile.follower URL SESSION READERS``.

They follow turns of stamped deltas, and begin the next turn when one ends: the text of an endless
turn would weigh more and more. On any input the process says
``{"delays": [[sent_ns, came_ns], …], "wrong": […]}`` of all readers so far. It ends with its
input.
"""

import json
import os
import re
import selectors
import sys
import time
from threading import Thread

from bus.origin import Origin
from deploy.bench.connecting import Connector
from deploy.bench.reader import BenchReader, StreamEnded
from tests.http_client import call

_STAMP = re.compile(rb"(\d{7})\|(\d{19})\|")
_STAMP_BYTES = 28
PER_SECOND, DELTAS = 50, 750
_BETWEEN_TURNS_S = 1.0
_TURN_S = DELTAS / PER_SECOND / 2


class Good:
    """One reader, and which delta it expects next."""

    def __init__(self, door: Connector, path: str) -> None:
        self.reader = BenchReader(door, path, keeps=True)
        self.wrong = ""
        self._rest = b""
        self._next: int | None = None
        self._newest_ns = 0

    def receive(self, delays: list[tuple[int, int]]) -> None:
        """Take what has come."""
        try:
            self.reader.receive()
        except StreamEnded as error:
            self.wrong = f"a good reader was cut: {error}"
            return
        came = b"".join(piece for _, piece in self.reader.take())
        now, data, end = time.monotonic_ns(), self._rest + came, 0
        for match in _STAMP.finditer(data):
            number, sent_ns, end = int(match[1]), int(match[2]), match.end()
            begins = number == 0 and sent_ns > self._newest_ns
            if self._next is None or number == self._next or begins:
                self._next, self._newest_ns = number + 1, sent_ns
                delays.append((sent_ns, now))
            elif number > self._next:
                self.wrong = f"a good reader lost deltas {self._next} to {number - 1}"
                self._next = number + 1
        self._rest = data[max(end, len(data) - _STAMP_BYTES) :]

    @property
    def is_at_the_end(self) -> bool:
        """Whether the last delta of a turn has come."""
        return self._next == DELTAS


class Turns:
    """Begins the turns, one after the other."""

    def __init__(self, url: str, session: str) -> None:
        self._path = f"{url}/session/{session}/prompt_async"
        self._begun_at = -_TURN_S

    def begin(self) -> None:
        """Begin a turn, unless another reader has just seen to that."""
        if time.monotonic() - self._begun_at > _TURN_S:
            first, self._begun_at = self._begun_at < 0, time.monotonic()
            Thread(target=self._prompt, args=(first,), daemon=True).start()

    def _prompt(self, first: bool) -> None:
        if not first:
            time.sleep(_BETWEEN_TURNS_S)  # the last words of the turn before are yet to come
        text = f"rate {PER_SECOND} {DELTAS}"
        call("POST", self._path, {"parts": [{"type": "text", "text": text}]}, timeout_s=60)


def main(url: str, session: str, count: str) -> None:
    """Follow until the input ends."""
    door = Connector(Origin.parse(url))
    delays: list[tuple[int, int]] = []
    selector = selectors.DefaultSelector()
    readers = [
        Good(door, f"/global/event?session={session}&frame_hz=0") for _ in range(int(count))
    ]
    for good in readers:
        selector.register(good.reader.socket, selectors.EVENT_READ, good)
    selector.register(sys.stdin, selectors.EVENT_READ)
    turns = Turns(url, session)
    turns.begin()
    print(json.dumps("open"), flush=True)
    while True:
        for key, _ in selector.select():
            if key.data is not None:
                key.data.receive(delays)
                if key.data.is_at_the_end:
                    turns.begin()
                if key.data.wrong.startswith("a good reader was cut"):
                    selector.unregister(key.fileobj)
            elif not os.read(sys.stdin.fileno(), 4096):
                return
            else:
                wrong = [good.wrong for good in readers if good.wrong]
                print(json.dumps({"delays": delays, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
