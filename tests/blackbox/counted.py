"""A gateway that says what it holds, on a bus of the tests' own."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks import process_tree
from tests.blackbox.source import MARKER, Source, source
from tests.http_client import call
from tests.processes import DEADLINE_S, Running, free_port, running, wait_until
from tests.sse_client import SseClient

FLOOD = 6
_CENSUS = "/test/census"
_DEAR = {"greenlets", "fds"}


class Counted:
    """A gateway with one worker that says what it holds.

    Attributes:
        host: where it answers on this machine.
        port: likewise.
        source: what it listens to.
        running: its process.
        folder: where it runs.
    """

    def __init__(self, port: int, bus: Source, process: Running, folder: Path) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.source = bus
        self.running = process
        self.folder = str(folder)
        self._before: dict[str, int] = {}

    @property
    def url(self) -> str:
        """Of its root."""
        return f"http://{self.host}:{self.port}"

    def count_anew(self) -> None:
        """Forget the evictions so far."""
        self._before = {}
        self._before = self.census()["evictions"]

    def census(self, whole: bool = True) -> dict[str, Any]:
        """What it holds now; `whole`: greenlets and descriptors too, which takes it a while."""
        path = f"{_CENSUS}?whole={str(whole).lower()}"
        said: dict[str, Any] = call("GET", self.url + path).body
        for cause, count in self._before.items():
            said["evictions"][cause] -= count
        return said

    def settled(self, what: str, deadline_s: float = DEADLINE_S, **wanted: int) -> dict[str, Any]:
        """Wait until the census says `wanted`, evictions by their names; return all it says."""

        def found() -> dict[str, Any] | None:
            said = self.census(whole=not _DEAR.isdisjoint(wanted))
            said |= said.pop("evictions")
            return said if {name: said[name] for name in wanted} == wanted else None

        try:
            return wait_until(found, deadline_s, what)
        except TimeoutError as error:
            raise AssertionError(f"{what}: {self.census()}") from error

    def flood(self) -> None:
        """Publish more than a connection holds on its way."""
        for _ in range(FLOOD):
            big = {"type": "test.flood", "properties": {"text": "x" * 500_000}}
            self.source.publish([big])

    def sockets(self) -> dict[str, int]:
        """Its sockets, as ``ss`` lists them, by state."""
        return Counter(line[0] for line in self._listed())

    def queued(self) -> int:
        """The most bytes that wait in one of its connections."""
        return max((int(line[2]) for line in self._listed() if line[0] == "ESTAB"), default=0)

    def _listed(self) -> list[list[str]]:
        shown = subprocess.run(
            ["ss", "-Htan", f"sport = :{self.port}"], capture_output=True, text=True, check=True
        )
        return [line.split() for line in shown.stdout.splitlines()]

    def leaves_no(self, *states: str) -> None:
        """Wait until no socket is in one of these states: a client has just left."""
        wait_until(lambda: not self.sockets().keys() & set(states), what=f"no socket in {states}")

    def cpu_s(self) -> float:
        """The CPU time that its worker has used so far."""
        return process_tree.cpu_s([self.census()["pid"]])

    def memory_mb(self) -> float:
        """The memory that its worker has allocated."""
        return process_tree.own_mb(self.census()["pid"])


@contextmanager
def counted(folder: Path, *flags: str, host: str = "127.0.0.1") -> Iterator[Counted]:
    """Run one for the time of a ``with`` block."""
    port = free_port()
    with source(folder / "bus") as bus:
        command = ["-m", "tests.blackbox.census", "--bus", bus.url, "--workers", "1"]
        command += ["--host", host, "--port", str(port), "--open", *flags]
        with running(*command, log=folder / "gateway.log", cwd=folder) as process:
            bus.wait_for_workers(1)
            process.says("Listening at")
            one = Counted(port, bus, process, folder)
            wait_until(one.census, what="an answer")
            _wait_for_the_bus(one)
            yield one


def _wait_for_the_bus(weir: Counted) -> None:
    """Nobody answers the worker's question for a snapshot: for some seconds it hears nothing."""
    with SseClient(f"{weir.url}/global/event") as stream:
        stream.next()
        weir.source.publish([MARKER])
        while MARKER["type"].encode() not in stream.next().data:
            pass
    weir.settled("a start", readers=0)
    weir.count_anew()
