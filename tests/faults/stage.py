"""What a soak plays on: a weir, who works in it, and the faults around it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.weir_up import Weir, weir_before, weir_up
from tests.faults.processes import FaultProxy, fault_proxy
from tests.faults.upstream import scripted_upstream

# Answers over REST are longer than most of what readers are sent: some are to come through.
UPSTREAM_BITS = (11, 21)
_FLAGS = ("--heartbeat-ms", "1000")


class Stage(NamedTuple):
    """All of it.

    Attributes:
        weir: under test.
        users_url: where users work, and what is stored can be had; no fault comes between.
        readers: between readers and weir.
        upstream: between weir and its upstream, where it has one.
    """

    weir: Weir
    users_url: str
    readers: FaultProxy
    upstream: FaultProxy | None = None

    def calm(self) -> None:
        """Have no more faults."""
        for proxy in self._proxies().values():
            proxy.calm()

    def met(self) -> dict[str, dict[str, int]]:
        """Return how many connections met which fault so far, by whose they were."""
        return {name: proxy.met() for name, proxy in self._proxies().items()}

    def _proxies(self) -> dict[str, FaultProxy]:
        both = {"readers": self.readers, "upstream": self.upstream}
        return {name: proxy for name, proxy in both.items() if proxy is not None}


@contextmanager
def native(seed: int, lanes: int, path: Path | None) -> Iterator[Stage]:
    """Have weir run the turns itself."""
    with weir_up(*_FLAGS, path=path) as weir, fault_proxy(weir.url, seed, lanes) as readers:
        yield Stage(weir, weir.url, readers)


@contextmanager
def relay(seed: int, lanes: int, path: Path | None) -> Iterator[Stage]:
    """Have weir in front of an upstream, which it reaches through faults."""
    with (
        scripted_upstream() as server,
        fault_proxy(server.url, seed, bits=UPSTREAM_BITS) as upstream,
        weir_before(upstream.urls[0], server.pid, *_FLAGS, path=path) as weir,
        fault_proxy(weir.url, seed + 1, lanes) as readers,
    ):
        yield Stage(weir, server.url, readers, upstream)
