"""A reader who never gives up: each loss of the connection is followed by a resume.

It waits without a timer of the product's own, so that what it shows is the server's doing.
"""

import http.client
import random
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from bus.sse import EventStreamParser
from tests.faults.witness import Broken, Witness

_READ_BYTES = 64 * 1024
_RANDOM = random.SystemRandom()
_TRY_AGAIN = (429, 502, 503, 504)


class Follower:
    """Follows one stream, from whichever of `urls` is next in turn.

    Args:
        urls: of servers, or of a proxy's lanes to them; each connection goes to the next.
        path: of the stream, with its query.
        silence_s: a connection that says nothing for so long is left.
        pause_s: bounds of the wait before the next connection.
        may_take_back, may_miss: see `Witness`.
        name: said of it when something is wrong.

    Attributes:
        witness: what it holds.
        failure: why it ended before it was told to; None while nothing is wrong.
        losses: connections that ended by an error.
    """

    def __init__(
        self,
        urls: Sequence[str],
        path: str = "/global/event",
        silence_s: float = 2.5,
        pause_s: tuple[float, float] = (0.02, 0.2),
        may_take_back: bool = False,
        may_miss: bool = False,
        name: str = "a reader",
    ) -> None:
        self.name = name
        self.witness = Witness(may_take_back, may_miss)
        self.failure: Exception | None = None
        self.losses = 0
        self._urls = [urlsplit(url) for url in urls]
        self._path = path
        self._silence_s = silence_s
        self._pause_s = pause_s
        self._connection: http.client.HTTPConnection | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Follower":
        """Begin to follow."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, whatever the server does."""
        self._stopped.set()
        self.cut()
        self._thread.join(self._silence_s + 5)

    @property
    def port(self) -> int | None:
        """Where its own end of the connection is; None between connections."""
        sock = self._connection.sock if self._connection is not None else None
        try:
            return int(sock.getsockname()[1]) if sock is not None else None
        except OSError:
            return None

    def cut(self) -> None:
        """Lose the connection, wherever in a frame that falls."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(2)
            except OSError:
                return  # it was lost already

    def holds(self, session_id: str, messages: list[dict[str, Any]]) -> bool:
        """Tell whether it holds just these messages of a session.

        Raises:
            Broken: it got what it must never get.
        """
        if self.failure is not None:
            raise self.failure
        return self.witness.state.messages_of(session_id) == messages

    def _run(self) -> None:
        try:
            attempt = 0
            while not self._stopped.is_set():
                self._follow(attempt)
                attempt += 1
                self._stopped.wait(_RANDOM.uniform(*self._pause_s))
        except Exception as error:
            error.add_note(f"seen by {self.name}")
            self.failure = error

    def _follow(self, attempt: int) -> None:
        url = self._urls[attempt % len(self._urls)]
        connection = http.client.HTTPConnection(url.hostname or "", url.port, self._silence_s)
        self._connection = connection
        try:
            headers = {"Accept": "text/event-stream"}
            if self.witness.last_event_id:
                headers["Last-Event-ID"] = self.witness.last_event_id
            connection.request("GET", self._path, headers=headers)
            response = connection.getresponse()
            if response.status == 200:
                self._read(response)
            elif response.status not in _TRY_AGAIN:
                raise Broken(f"the stream is refused: {response.status} {response.read()!r}")
        except (OSError, http.client.HTTPException):
            self.losses += 1
        finally:
            self._connection = None
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> None:
        self.witness.connect()
        parser = EventStreamParser()
        parser.last_event_id = self.witness.last_event_id
        while not self._stopped.is_set() and (data := response.read1(_READ_BYTES)):
            for event in parser.feed(data):
                self.witness.take(event)
