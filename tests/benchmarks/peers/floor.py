"""The floor, a bare loop of non-blocking sends, and the control run of the load generator."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any

from tests.benchmarks.child import child
from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.peers.posted import PostedServer, posted
from tests.http_client import call

_START_S = 30.0
_PLAY_S = 300.0


class SelfPlaying(PostedServer):
    """A floor that plays answers itself."""

    def prompt(self, session: str, text: str) -> None:
        """Have the server play the answer."""
        self._texts[session] = text
        Thread(target=self._play, args=(session, text), daemon=True).start()

    def _play(self, session: str, text: str) -> None:
        body: Any = {"session": session, "script": text}
        call("POST", f"{self.url}/self", body, timeout_s=_PLAY_S)


@contextmanager
def floor(flags: Sequence[str] = ()) -> Iterator[Peer]:
    """Run the bare loop."""
    with child("-m", "tests.benchmarks.peers.floor_server") as server:
        url = f"http://127.0.0.1:{server.hear(_START_S)}"
        with posted(url, "floor", [server.pid]) as peer:
            yield peer


@contextmanager
def control(flags: Sequence[str] = ()) -> Iterator[Peer]:
    """Run the bare loop, which plays the answers itself."""
    with floor() as peer:
        assert isinstance(peer.server, PostedServer)
        peer.server = SelfPlaying(peer.server.url, peer.server._publisher)
        yield peer
