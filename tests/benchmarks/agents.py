"""``python -m tests.benchmarks.agents``: a storm of an agent of one's own, and the demo model's.

In turn, in one run: the built-in engine, an agent in a process of its own that hands over 64
deltas a call, and the same with one delta a call. One reader follows; its text has to equal what
is stored. Time is from the prompt until the answer is whole and read.
"""

import argparse
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from msgspec import Struct

from deploy.bench.received import Received
from deploy.bench.table import table
from tests.benchmarks import machine, process_tree
from tests.benchmarks.child import child, ended_by_sigterm
from tests.benchmarks.memory import PROVIDER
from tests.benchmarks.weir_up import Weir, demo_up, wait_until

_DEADLINE_S = 120.0
_SIZE = 40
_HEAD = ["storm of", "s", "weir CPU s", "agent CPU s", "time ÷", "weir CPU ÷", "all CPU ÷"]
ENGINE, BATCHES, SINGLE = "the demo model", "an agent, 64 deltas a call", "an agent, 1 a call"


class Cost(Struct):
    """What one storm has cost: seconds, and CPU seconds of weir and of the agent's process."""

    wall_s: float
    weir_s: float
    agent_s: float

    @property
    def cpu_s(self) -> float:
        """CPU seconds of both."""
        return self.weir_s + self.agent_s


def main() -> int:
    """Measure and print a table; return 1 where a reader's text is not what is stored."""
    parser = argparse.ArgumentParser(description="a storm of an agent beside the demo model's")
    parser.add_argument("--deltas", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    ended_by_sigterm()
    count = options.deltas
    ways = {
        ENGINE: ("build", f"storm {count} {_SIZE}"),
        BATCHES: ("storms", f"{count} {_SIZE} 64"),
        SINGLE: ("storms", f"{count} {_SIZE} 1"),
    }
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    described = machine.described()
    with (
        demo_up() as weir,
        child("-m", "tests.benchmarks.agent_storms", weir.url) as agent,
    ):
        wait_until(lambda: _is_connected(weir), _DEADLINE_S)
        # The first storms fill the stores: they are not counted.
        for number in range(-1, options.rounds):
            for way, (name, text) in ways.items():
                cost = _storm(weir, agent.pid, name, text)
                if number >= 0:
                    costs[way].append(cost)
    print(f"{described}; {count} deltas of {_SIZE} characters; median of {options.rounds}\n")
    rows = [_row(way, costs[way], costs[ENGINE]) for way in ways]
    print(table(_HEAD, rows))
    return 0


def _is_connected(weir: Weir) -> bool:
    return any(
        one["name"] == "storms" and one["prompts"] for one in weir.ask("GET", "/weir/agents")
    )


def _storm(weir: Weir, agent: int, name: str, text: str) -> Cost:
    """Have one storm made; return what it has cost.

    Raises:
        RuntimeError: what the reader has is not what is stored.
    """
    session = weir.session()
    own = [pid for group, pids in weir.groups.items() if group != PROVIDER for pid in pids]
    with _Follower(weir.url, session) as reader:
        before = process_tree.cpu_s(own), process_tree.cpu_s([agent])
        began = time.monotonic()
        body = {"agent": name, "parts": [{"type": "text", "text": text}]}
        weir.ask("POST", f"/session/{session}/prompt_async", body)
        reader.wait()
        wall_s = time.monotonic() - began
        cost = Cost(
            wall_s,
            process_tree.cpu_s(own) - before[0],
            process_tree.cpu_s([agent]) - before[1],
        )
        parts = weir.messages(session)[-1]["parts"]
        stored = "".join(part["text"] for part in parts if part["type"] == "text")
        if reader.text != stored or not stored:
            raise RuntimeError(f"the reader has {len(reader.text)} of {len(stored)} characters")
    weir.ask("DELETE", f"/session/{session}")
    return cost


class _Follower:
    """Reads a session's stream in a thread until the session is idle."""

    def __init__(self, url: str, session: str) -> None:
        self._session = session
        self._received = Received()
        self._open, self._idle = threading.Event(), threading.Event()
        parts = urlsplit(url)
        self._sock = socket.create_connection((parts.hostname, parts.port), _DEADLINE_S)
        self._sock.sendall(
            f"GET /global/event?session={session} HTTP/1.1\r\nHost: weir\r\n\r\n".encode()
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        self._open.wait(_DEADLINE_S)

    @property
    def text(self) -> str:
        """What a client shows."""
        return self._received.text(self._session)

    def wait(self) -> None:
        """Wait until the session is idle.

        Raises:
            TimeoutError: that takes too long.
        """
        if not self._idle.wait(_DEADLINE_S):
            raise TimeoutError(f"session {self._session} is not idle after {_DEADLINE_S:g} s")

    def __enter__(self) -> "_Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def _read(self) -> None:
        while not self._idle.is_set() and (data := self._sock.recv(1 << 20)):
            for event in self._received.feed(data):
                self._open.set()
                if event["type"] == "session.idle":
                    self._idle.set()


def _row(way: str, costs: list[Cost], engine: list[Cost]) -> list[str]:
    def middle(of: Callable[[Cost], float]) -> float:
        return statistics.median(map(of, costs))

    def ratio(of: Callable[[Cost], float]) -> float:
        """Compare storms of one round: the machine is the same for both."""
        pairs = zip(costs, engine, strict=True)
        return statistics.median(of(one) / of(other) for one, other in pairs)

    return [
        way,
        f"{middle(lambda one: one.wall_s):.2f}",
        f"{middle(lambda one: one.weir_s):.2f}",
        f"{middle(lambda one: one.agent_s):.2f}",
        f"{ratio(lambda one: one.wall_s):.2f}",
        f"{ratio(lambda one: one.weir_s):.2f}",
        f"{ratio(lambda one: one.cpu_s):.2f}",
    ]


if __name__ == "__main__":
    sys.exit(main())
