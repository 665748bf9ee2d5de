"""The reading process: many clients, fast ones and stalled ones, in one loop.

``python -m tests.benchmarks.readers PLAN`` opens every stream and says ``"open"``. It is then
told ``"begin"`` (it says ``"begun"``), and says when the last fast reader has its last event:
``{"last_ns", "median_ns"}``. Told ``{"check": SESSION}``, it says what each holds by now:
``{"texts": {DIGEST: readers}, "bytes", "frames", "stalled_open"}``. It ends with its input.
"""

import json
import os
import selectors
import statistics
import sys
import time
from collections import Counter
from typing import Any

import msgspec

from tests.benchmarks.reader import Reader, is_open, stalled
from tests.benchmarks.received import Received, digest


class Plan(msgspec.Struct):
    """Which streams to open; readers take `paths` in turn."""

    host: str
    port: int
    paths: list[str]
    fast: int
    stalled: int
    room: int


class Readers:
    """All streams of the process."""

    def __init__(self, plan: Plan) -> None:
        address = (plan.host, plan.port)
        paths = plan.paths
        self._fast = [Reader(address, paths[i % len(paths)], plan.room) for i in range(plan.fast)]
        self._stalled = [stalled(address, paths[i % len(paths)]) for i in range(plan.stalled)]
        self._received = [Received() for _ in self._fast]
        self._waited_for = 0
        self._selector = selectors.DefaultSelector()
        for reader in self._fast:
            self._selector.register(reader.socket, selectors.EVENT_READ, reader)
        self._selector.register(sys.stdin, selectors.EVENT_READ)

    def run(self) -> None:
        """Read, and do as told, until the input ends."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._receive(key.data)
                elif not self._obey():
                    return

    def _receive(self, reader: Reader) -> None:
        if reader.receive() and not reader.done_ns and self._waited_for:
            reader.done_ns = time.monotonic_ns()
            self._waited_for -= 1
            if self._waited_for == 0:
                done = [one.done_ns for one in self._fast]
                _say({"last_ns": max(done), "median_ns": statistics.median(done)})

    def _obey(self) -> bool:
        # One command at a time is under way, so what is read is always one whole line.
        line = os.read(sys.stdin.fileno(), 1 << 16)
        if not line:
            return False
        told = json.loads(line)
        if told == "begin":
            self._waited_for = len(self._fast)
            for reader in self._fast:
                reader.done_ns = 0
            _say("begun")
        else:
            _say(self._check(told["check"]))
        return True

    def _check(self, session: str) -> dict[str, Any]:
        texts: Counter[str] = Counter()
        sizes, frames = [], []
        for reader, received in zip(self._fast, self._received, strict=True):
            data, known = reader.take(), received.frames
            received.feed(data)
            sizes.append(len(data))
            frames.append(received.frames - known)
            texts[digest(received.text(session))] += 1
            received.forget()
        return {
            "texts": texts,
            "bytes": statistics.median(sizes),
            "frames": statistics.median(frames),
            "stalled_open": sum(map(is_open, self._stalled)),
        }


def _say(what: Any) -> None:
    print(json.dumps(what), flush=True)


def main(plan: str) -> None:
    """Open what `plan` names, and serve."""
    readers = Readers(msgspec.json.decode(plan.encode(), type=Plan))
    _say("open")
    readers.run()


if __name__ == "__main__":
    main(sys.argv[1])
