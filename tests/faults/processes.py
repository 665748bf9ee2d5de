"""The fault proxy as a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.benchmarks.child import Child, child
from tests.faults.fault import BITS, Bits

_DEADLINE_S = 120.0


class FaultProxy:
    """A running `tests.faults.proxy`.

    Attributes:
        urls: where each lane begins.
    """

    def __init__(self, process: Child) -> None:
        self._process = process
        ports = process.hear(_DEADLINE_S)
        self.urls = [f"http://127.0.0.1:{port}" for port in ports]

    def calm(self) -> dict[str, int]:
        """Have no more faults; return how many connections met which so far."""
        return self._ask("calm")

    def met(self) -> dict[str, int]:
        """Return how many connections met which fault so far."""
        return self._ask("report")

    def _ask(self, word: str) -> dict[str, int]:
        self._process.tell(word)
        answer: dict[str, int] = self._process.hear(_DEADLINE_S)
        return answer


@contextmanager
def fault_proxy(url: str, seed: int, lanes: int = 1, bits: Bits = BITS) -> Iterator[FaultProxy]:
    """Run a proxy in front of the server at `url` for the time of a ``with`` block."""
    flags = ["--seed", str(seed), "--lanes", str(lanes), "--bits", *map(str, bits)]
    with child("-m", "tests.faults.proxy", urlsplit(url).netloc, *flags) as process:
        yield FaultProxy(process)
