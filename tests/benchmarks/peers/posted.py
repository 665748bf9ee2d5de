"""Servers that only pass on what is posted to them: a publisher posts what the model would say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.benchmarks.child import Child, child
from tests.benchmarks.memory import PROVIDER
from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.peers.publisher import answer_of
from tests.http_client import call
from tests.processes import wait_until

_READY_S = 30.0


class PostedServer:
    """A publish and subscribe server, with the publisher that makes it one of sessions."""

    def __init__(self, url: str, publisher: Child) -> None:
        self.url = url
        self._publisher = publisher
        self._texts: dict[str, str] = {}

    def session(self) -> str:
        """Invent a session."""
        session = f"ses_{len(self._texts)}"
        self._texts[session] = ""
        return session

    def prompt(self, session: str, text: str) -> None:
        """Have the answer published."""
        self._texts[session] = text
        self._publisher.tell({"session": session, "script": text})

    def messages(self, session: str) -> list[dict[str, Any]]:
        """Return what was published."""
        part = {"type": "text", "text": answer_of(self._texts[session])}
        return [{"info": {"role": "assistant"}, "parts": [part]}]


@contextmanager
def posted(url: str, name: str, pids: list[int]) -> Iterator[Peer]:
    """Have a publisher at a server for the time of a ``with`` block.

    Args:
        url: of the server, which takes ``POST /pub`` and streams ``GET /ev``.
        name: of the server, for its processes.
        pids: of these.
    """
    wait_until(lambda: _answers(url), _READY_S, f"{name} answering")
    with child("-m", "tests.benchmarks.peers.publisher", url) as publisher:
        publisher.hear(_READY_S)
        groups = {name: pids, PROVIDER: [publisher.pid]}
        yield Peer(PostedServer(url, publisher), "/ev", ["/ev"], groups, {"health": "/ok"})


def _answers(url: str) -> bool:
    try:
        return call("GET", f"{url}/ok", timeout_s=2).status == 200
    except OSError:
        return False
