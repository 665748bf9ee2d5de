"""From the bytes that a stream brought to the text that a client shows."""

import hashlib

import msgspec

from bus.sse import EventStreamParser
from tests.reference import State

_decode = msgspec.json.Decoder().decode


class NotAStream(ValueError):
    """The answer is no ``text/event-stream``, or breaks the framing of HTTP."""


class Received:
    """What one client knows, by the rules of `tests.reference`.

    Attributes:
        frames: events so far.
    """

    def __init__(self) -> None:
        self.frames = 0
        self._body = _Body()
        self._parser = EventStreamParser()
        self._state = State()

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection.

        Raises:
            NotAStream: they are not what a stream consists of.
        """
        for event in self._parser.feed(self._body.feed(data)):
            wire = _decode(event.data)
            self._state.apply(wire.get("payload", wire))
            self.frames += 1

    def text(self, session: str) -> str:
        """Return what a client shows of the answers in a session."""
        return answer_text(self._state.messages_of(session))

    def forget(self) -> None:
        """Start anew with the next event: hundreds of clients would hold gigabytes of text."""
        self._state = State()


def answer_text(messages: list[dict]) -> str:
    """Return the text of the assistant's messages, of ``[{"info", "parts"}]``."""
    parts = [
        part
        for message in messages
        if message["info"]["role"] == "assistant"
        for part in message["parts"]
    ]
    return "".join(part["text"] for part in parts if part["type"] == "text")


def digest(text: str) -> str:
    """Return a name for a text: equal for equal bytes alone."""
    return f"{len(text)}:{hashlib.sha256(text.encode()).hexdigest()}"


class _Body:
    """The body of a response with chunked transfer coding, or of one that ends with its end."""

    def __init__(self) -> None:
        self._rest = b""
        self._in_head = True
        self._chunked = False

    def feed(self, data: bytes) -> bytes:
        self._rest += data
        if self._in_head and not self._head():
            return b""
        if not self._chunked:
            body, self._rest = self._rest, b""
            return body
        return b"".join(self._chunks())

    def _head(self) -> bool:
        head, end, rest = self._rest.partition(b"\r\n\r\n")
        if not end:
            return False
        lines = head.lower().split(b"\r\n")
        if b" 200 " not in lines[0] + b" " or b"text/event-stream" not in head.lower():
            raise NotAStream(f"not a stream: {head!r}")
        self._chunked = b"transfer-encoding: chunked" in lines
        self._in_head, self._rest = False, rest
        return True

    def _chunks(self) -> list[bytes]:
        chunks, data, at = [], self._rest, 0
        while (line := data.find(b"\r\n", at)) >= 0:
            try:
                end = line + 2 + int(data[at:line], 16)
            except ValueError:
                raise NotAStream(f"not the size of a chunk: {data[at:line]!r}") from None
            if len(data) < end + 2:
                break
            chunks.append(data[line + 2 : end])
            at = end + 2
        self._rest = data[at:]
        return chunks
