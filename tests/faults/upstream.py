"""The upstream of a soak: ``python -m tests.faults.upstream``, an opencode that plays scripts.

What is stored, and so what REST says, has no deltas: text in flight is empty until it ends. A
stream tells what happens while it stands, from its first word on, and holds back nothing that a
slow reader has yet to take. It says its URL as one line of JSON, and ends with its standard input.
"""

import contextlib
import json
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bus.ids import Ids
from tests.benchmarks.child import child
from tests.fakes import upstream
from tests.fakes.upstream import sse
from tests.faults.telling import Telling

Json = dict[str, Any]

_STARTS_WITHIN_S = 120.0
_DIRECTORY = "/srv/faults"


class Handler(upstream.Handler):
    """One connection, with what users do beside."""

    server: "Server"

    def do_POST(self) -> None:
        """Make a session, or begin or stop a turn; there are no other routes."""
        url = urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        match url.path.strip("/").split("/"):
            case ["session"]:
                directory = parse_qs(url.query).get("directory", [_DIRECTORY])[-1]
                self._send(200, json.dumps(self.server.make(directory)).encode())
            case ["session", session, "prompt_async"]:
                self.server.begin(session, body["parts"][0]["text"])
                self._send(204, b"")
            case ["session", session, "abort"]:
                self.server.abort(session)
                self._send(200, b"true")
            case _:
                self._send(404, b"{}")

    def do_DELETE(self) -> None:
        """Delete a session."""
        self.server.delete(urlsplit(self.path).path.rpartition("/")[2])
        self._send(200, b"true")

    def _stream(self) -> None:
        self._waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        writer = threading.Thread(target=self._write, daemon=True)
        writer.start()
        try:
            super()._stream()
        finally:
            self._waiting.put(b"")
            writer.join()

    def send(self, data: bytes) -> None:
        """Queue a piece without a bound, as an opencode does."""
        self._waiting.put(data)

    def _write(self) -> None:
        with contextlib.suppress(OSError):  # its reader has left
            while data := self._waiting.get():
                super().send(data)


class Server(upstream.Server):
    """Sessions and their turns."""

    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = Handler
        self._ids = Ids()
        self._turns: dict[str, tuple[Telling, threading.Thread]] = {}

    def now(self) -> str:
        """Return the time."""
        return formatdate(usegmt=True)

    def make(self, directory: str) -> Json:
        """Make a session, and return it."""
        now = time.time_ns() // 1_000_000
        info = {"id": self._ids.descending("ses"), "title": "New", "directory": directory}
        info |= {"time": {"created": now, "updated": now}}
        self._say(info, "session.created", info=info)
        return info

    def begin(self, session: str, prompt: str) -> None:
        """Begin a turn."""
        info = self.stored.state.sessions[session]

        def say(kind: str, **properties: Any) -> None:
            self._say(info, kind, **properties)

        telling = Telling(say, self._ids, session, prompt)
        thread = threading.Thread(target=telling.run, daemon=True)
        self._turns[session] = telling, thread
        times = info["time"] | {"updated": time.time_ns() // 1_000_000}
        say("session.updated", info=info | {"time": times})
        say("session.status", status={"type": "busy"})
        thread.start()

    def abort(self, session: str) -> None:
        """Stop a turn, and wait for its last word."""
        telling, thread = self._turns[session]
        telling.abort()
        thread.join()

    def delete(self, session: str) -> None:
        """Delete a session whose turn is over."""
        self.abort(session)
        del self._turns[session]
        info = self.stored.state.sessions[session]
        self._say(info, "session.deleted", info=info)

    def _say(self, session: Json, kind: str, **properties: Any) -> None:
        event = {"id": self._ids.ascending("evt"), "type": kind}
        event["properties"] = {"sessionID": session["id"], **properties}
        frame = {"directory": session["directory"], "payload": event}
        with self.changed:
            self.stored.apply(frame)
            for stream in self.streams:
                stream.send(sse(frame))


class Upstream:
    """A running one.

    Attributes:
        url: where it listens.
        pid: of its process.
    """

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid


@contextmanager
def scripted_upstream() -> Iterator[Upstream]:
    """Run one for the time of a ``with`` block."""
    with child("-m", "tests.faults.upstream") as process:
        yield Upstream(process.hear(_STARTS_WITHIN_S), process.pid)


def main(handler: type[Handler] = Handler) -> None:
    """Serve until the standard input ends."""
    server = Server()
    server.RequestHandlerClass = handler
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps(f"http://127.0.0.1:{server.server_address[1]}"), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
