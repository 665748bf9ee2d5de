"""What models that misbehave send: streams, bodies and refusals, in steps."""

import json
import select
import socket
import struct
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from tests.fakes.answer import ClientLeft, send_head, send_json

Request = dict[str, Any]
Step = bytes | Callable[["Wire"], None]

USAGE = {"prompt_tokens": 7, "completion_tokens": 3}
RESET_AT_CLOSE = struct.pack("ii", 1, 0)
COMMENT_EVERY_S = 0.02


class Odd(NamedTuple):
    """A model that misbehaves.

    Attributes:
        play: sends an answer.
        text: what must be stored of the answer.
        error: words that its error must hold; None if it must end well.
        finish: how it must end.
        thought: what must be stored of its thoughts.
        asked: tokens of the prompt that must be counted, in the end.
    """

    play: Callable[["Wire"], None]
    text: str = "ab"
    error: str | None = None
    finish: str = "stop"
    thought: str = ""
    asked: int = 0


class Wire:
    """The connection of one request."""

    def __init__(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        self.request = request
        self._handler = handler
        handler.close_connection = True

    def send(self, data: bytes) -> None:
        """Send bytes in a chunk of HTTP."""
        self._handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def begin(self, kind: str = "text/event-stream", status: int = 200) -> None:
        send_head(self._handler, status, {"Content-Type": kind, "Transfer-Encoding": "chunked"})

    def json(self, status: int, body: Any) -> None:
        send_json(self._handler, status, body)

    def pause(self, seconds: float | None = None) -> None:
        """Let time pass.

        Raises:
            ClientLeft: the client leaves meanwhile.
        """
        ready, _, _ = select.select([self._handler.connection], [], [], seconds)
        if ready and not self._handler.connection.recv(1, socket.MSG_PEEK):
            raise ClientLeft

    def reset(self) -> None:
        linger = socket.SO_LINGER
        self._handler.connection.setsockopt(socket.SOL_SOCKET, linger, RESET_AT_CLOSE)
        self._handler.connection.close()


def end(wire: Wire) -> None:
    """End the body as HTTP has it."""
    wire._handler.wfile.write(b"0\r\n\r\n")


def cut(wire: Wire) -> None:
    """End the connection without an end of the body."""


def hold(wire: Wire) -> None:
    """Keep the connection open."""
    while True:
        wire.pause()


def comments(wire: Wire) -> None:
    """Send comments for ever."""
    while True:
        wire.send(b": processing\n\n")
        wire.pause(COMMENT_EVERY_S)


def empty_chunks(wire: Wire) -> None:
    """Send chunks without a word for ever."""
    while True:
        wire.send(delta(content=""))
        wire.pause(COMMENT_EVERY_S)


def arguments(wire: Wire) -> None:
    """Send arguments of a tool for ever."""
    while True:
        wire.send(delta(tool_calls=[{"function": {"arguments": "x"}}]))
        wire.pause(COMMENT_EVERY_S)


def pause(seconds: float) -> Callable[[Wire], None]:
    return lambda wire: wire.pause(seconds)


def data(body: Any) -> bytes:
    """Return an event: of bytes as they are, or of JSON."""
    return b"data: " + (body if isinstance(body, bytes) else json.dumps(body).encode()) + b"\n\n"


def delta(**fields: Any) -> bytes:
    return data({"choices": [{"index": 0, "delta": fields, "finish_reason": None}]})


def chunk(**fields: Any) -> bytes:
    """Return a chunk that says "b", with other fields beside it, or in the place of its own."""
    choice = {"index": 0, "delta": {"content": "b"}, "finish_reason": None}
    return data({"choices": [choice], **fields})


def finish(reason: Any = "stop", **fields: Any) -> bytes:
    return data({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], **fields})


A, B, FINISH = delta(content="a"), delta(content="b"), finish()
DONE, TOKENS = data(b"[DONE]"), data({"choices": [], "usage": USAGE})


def stream(*steps: Step) -> Callable[[Wire], None]:
    """Return what sends these steps as an event stream."""

    def play(wire: Wire) -> None:
        wire.begin()
        for step in steps:
            wire.send(step) if isinstance(step, bytes) else step(wire)

    return play


def whole(*steps: Step) -> Callable[[Wire], None]:
    """Return what sends "a", these steps, and a proper end."""
    return stream(A, *steps, FINISH, DONE, end)


def body(content: bytes, kind: str = "application/json", status: int = 200) -> Any:
    """Return what sends a body that is no event stream."""

    def play(wire: Wire) -> None:
        wire.begin(kind, status)
        wire.send(content)
        end(wire)

    return play


def refuse(status: int, content: Any) -> Callable[[Wire], None]:
    return lambda wire: wire.json(status, content)


def unless(ok: Callable[[Request], bool], refusal: Callable[[Wire], None]) -> Any:
    """Return what refuses a request unless `ok` holds of it."""
    good = stream(A, B, FINISH, TOKENS, DONE, end)
    return lambda wire: (good if ok(wire.request) else refusal)(wire)


def raw(content: bytes) -> bytes:
    """Return a chunk whose delta is spelt as given."""
    return data(b'{"choices":[{"index":0,"delta":' + content + b"}]}")
