"""The publisher: ``python -m tests.benchmarks.peers.publisher URL``.

For each line ``{"session", "script"}`` of its input the publisher posts an answer to ``URL/pub``:
a message, a part, its deltas, and that the session is idle, as an opencode publishes an answer.
Scripts are those of the scripted model:

    storm N SIZE     N deltas as fast as the server takes them, `WINDOW` posts on their way at once
    rate R N SIZE    N deltas at R a second, each with the time at which it is posted
"""

import json
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.texts import numbered, stamped

WINDOW = 64
_TAKEN = b"HTTP/1.1 2"


def answer_of(script: str) -> str:
    """Return the text of an answer that has no times in it."""
    words = script.split()
    return "".join(numbered(int(words[1]), int(words[2]))) if words[0] == "storm" else ""


class Publisher:
    """Posts go one behind the other over one connection, which each answer has anew."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._head = f"POST /pub HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        self._address = (parts.hostname or "", parts.port or 0)
        self._tail = b""
        self._under_way = 0

    def play(self, session: str, script: str) -> None:
        """Publish an answer.

        A server may close a connection that was idle, so the last one is of no use.
        """
        with socket.create_connection(self._address) as self._socket:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for event in events(session, script):
                self._post(event)
            while self._under_way:
                self._take_answers()

    def _post(self, body: bytes) -> None:
        head = f"{self._head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        self._under_way += 1
        while self._under_way >= WINDOW:
            self._take_answers()

    def _take_answers(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            raise EOFError("the server closed the publisher's connection")
        seen = self._tail + data
        self._under_way -= seen.count(_TAKEN)
        # Less than the whole, so that no answer counts twice.
        self._tail = seen[1 - len(_TAKEN) :]


def events(session: str, script: str) -> Iterator[bytes]:
    """Yield what is published of an answer, each when it is due."""
    ids = {"sessionID": session, "messageID": f"msg_{session}"}
    info = {"id": ids["messageID"], "sessionID": session, "role": "assistant"}
    yield _event("message.updated", {"info": {**info, "time": {"created": 1}}})
    part = {**ids, "id": f"prt_{session}", "type": "text", "text": ""}
    yield _event("message.part.updated", {"part": part})
    where = {**ids, "partID": part["id"], "field": "text"}
    kind, *numbers = script.split()
    for text in _storm(*map(int, numbers)) if kind == "storm" else _rate(*map(int, numbers)):
        yield _event("message.part.delta", {**where, "delta": text})
    yield _event("session.idle", {"sessionID": session})


def _event(kind: str, properties: Any) -> bytes:
    payload = {"id": "evt_0000", "type": kind, "properties": properties}
    event = {"directory": "/srv/demo/proj1", "payload": payload}
    return json.dumps(event, separators=(",", ":")).encode()


def _storm(count: int, size: int) -> Iterable[str]:
    return numbered(count, size)


def _rate(per_second: int, count: int, size: int) -> Iterator[str]:
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, start + number / per_second - time.monotonic()))
        yield stamped(number, size)


def main(url: str) -> None:
    """Publish what is asked for, until the input ends."""
    publisher = Publisher(url)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        publisher.play(asked["session"], asked["script"])


if __name__ == "__main__":
    main(*sys.argv[1:])
