"""The process that opens the event streams of `weir bench`, all in one epoll loop.

Some readers read as fast as they can ("fast"), others never read ("stalled"). The process reads a
`BenchPlan` from the first line of standard input, opens all streams, and writes ``"open"``. Then
it carries out the commands on the lines that follow:

- ``{"begin": MARKER}``: look for this text; write ``"begun"`` at once, and ``{"last_ns",
  "median_ns"}`` when every fast reader has received the text;
- ``{"held": SESSION}``: write what the readers have received (`crowd.Held`);
- ``{"delays": null}``: write the `Delays` of the deltas that the readers have received.

Any answer may be ``{"failed": WHY}`` instead. The process ends when its standard input ends.
"""

from __future__ import annotations

import os
import select
import statistics
import sys
import time
from collections import Counter
from typing import Any

import msgspec

from deploy.bench.connecting import Connector, NotOpened, is_open, make_room
from deploy.bench.delays import Delays, arrivals, summed_up
from deploy.bench.plan import BenchPlan
from deploy.bench.reader import BenchReader, StreamEnded
from deploy.bench.received import Received, digest

_MOST_EVENTS = 1024


class BenchReaders:
    """All readers of the process, and their event streams.

    Raises:
        NotOpened: a stream cannot be opened.
    """

    def __init__(self, plan: BenchPlan) -> None:
        make_room(plan.fast + plan.stalled)
        connector, routes = Connector(plan.origin), plan.routes
        self._epoll = select.epoll()
        self._epoll.register(sys.stdin, select.EPOLLIN)
        self._fast: list[BenchReader] = []
        self._by_number: dict[int, BenchReader] = {}
        for number in range(plan.fast):
            reader = BenchReader(connector, routes[number % len(routes)], number < plan.kept)
            self._fast.append(reader)
            self._by_number[reader.socket.fileno()] = reader
            self._epoll.register(reader.socket, select.EPOLLIN)
        self._stalled = [connector.stalled(routes[n % len(routes)]) for n in range(plan.stalled)]
        self._received = [Received() for _ in self._fast[: plan.kept]]
        self._unix = plan.unix
        self._offset_ns = time.time_ns() - time.monotonic_ns() if plan.unix else 0
        self._begun_ns = 0
        self._waited_for = 0

    def run(self) -> None:
        """Read all streams and carry out commands, until standard input ends.

        Raises:
            StreamEnded: the server has ended a stream.
        """
        stdin, poll, readers = sys.stdin.fileno(), self._epoll.poll, self._by_number
        while True:
            for number, _ in poll(-1, _MOST_EVENTS):
                if number == stdin:
                    if not self._obey(stdin):
                        return
                elif readers[number].receive():
                    self._count_down()

    def _count_down(self) -> None:
        self._waited_for -= 1
        if self._waited_for == 0:
            done = [one.done_ns for one in self._fast]
            say({"last_ns": max(done), "median_ns": int(statistics.median(done))})

    def _obey(self, stdin: int) -> bool:
        # The next command is sent only after the answer to this one, so a read returns one line.
        line = os.read(stdin, 1 << 16)
        if not line:
            return False
        [(command, value)] = msgspec.json.decode(line).items()
        if command == "begin":
            self._waited_for, self._begun_ns = len(self._fast), time.monotonic_ns()
            for reader in self._fast:
                reader.begin(value.encode())
            say("begun")
        elif command == "held":
            say(self._held(value))
        else:
            say(self._delays())
        return True

    def _held(self, session: str) -> dict[str, Any]:
        texts: Counter[str] = Counter()
        frames = []
        for received, reader in zip(self._received, self._fast, strict=False):
            known = received.frames
            for _, data in reader.take():
                received.feed(data)
            frames.append(received.frames - known)
            texts[digest(received.text(session))] += 1
            received.forget()
        return {
            "texts": texts,
            "bytes": statistics.median(reader.size for reader in self._fast),
            "frames": statistics.median(frames or [0]),
            "stalled_open": sum(map(is_open, self._stalled)),
        }

    def _delays(self) -> Delays:
        # Unix times may be those of another machine, whose clock may be behind. Then a time before
        # `begin` does not show that a delta is old.
        since_ns = 0 if self._unix else self._begun_ns
        found = []
        for received, reader in zip(self._received, self._fast, strict=False):
            found.append(arrivals(received, reader.take(), since_ns))
            received.forget()
        return summed_up(found, self._offset_ns)


def say(what: Any) -> None:
    """Write a line of JSON to standard output."""
    os.write(1, msgspec.json.encode(what) + b"\n")


def main() -> None:
    """Open the streams of the plan, and carry out commands."""
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=BenchPlan)
    try:
        readers = BenchReaders(plan)
        say("open")
        readers.run()
    except (NotOpened, StreamEnded) as error:
        say({"failed": str(error)})


if __name__ == "__main__":
    main()
