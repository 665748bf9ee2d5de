"""One answer of the scripted provider, as frames of OpenAI's streaming format."""

import json
import select
import socket
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import uuid4

CHUNK_BYTES = 1 << 18
ARGUMENTS_PIECE = 16
_POLL_S = 0.02
ERROR_TYPES = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}


class ClientLeft(Exception):
    """The client closed its connection before the end of the answer."""


class Answer:
    """What is said, when and how it ends is for a script to choose; this knows the format."""

    def __init__(
        self, handler: BaseHTTPRequestHandler, request: dict[str, Any], attempt: int
    ) -> None:
        """Prepare the answer to `request` on the connection of `handler`."""
        self.prompt = prompt_of(request)
        self.attempt = attempt
        """How often this very prompt has been sent, this time included."""
        self.is_title = is_title(request)
        self.has_result = messages_of(request)[-1].get("role") == "tool"
        """Whether a tool has run, and the model is to go on."""
        self.results = results_of(request)
        """How many tools have run since the last thing that the user said."""
        self._handler = handler
        self._begun = False
        self._count = 0
        self._usage = bool((request.get("stream_options") or {}).get("include_usage"))
        model = json.dumps(request.get("model", "m1"))
        self._head = (
            'data: {"id":"chatcmpl-0","object":"chat.completion.chunk","created":0,'
            f'"model":{model},"choices":['
        )

    def refuse(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        """Answer with an error in OpenAI's shape instead of a stream."""
        kind = ERROR_TYPES.get(status, "server_error")
        error = {"message": message, "type": kind, "code": str(status)}
        send_json(self._handler, status, {"error": error}, headers)

    def deltas(self, texts: Iterable[str], field: str = "content") -> None:
        """Send each text as a frame of its own, many frames to a system call."""
        head = f'{self._head}{{"index":0,"delta":{{"{field}":'
        tail = '},"finish_reason":null}]}\n\n'
        frames = [f"{head}{json.dumps(text)}{tail}" for text in texts]
        self._count += len(frames)
        self.frames("".join(frames))

    def tool_call(self, tool: str, arguments: dict[str, Any]) -> None:
        """Call a tool: its name first, then its arguments in pieces."""
        call = f"call_{uuid4().hex[:10]}"
        self._tool_delta({"id": call, "type": "function"}, {"name": tool, "arguments": ""})
        text = json.dumps(arguments)
        for start in range(0, len(text), ARGUMENTS_PIECE):
            self._tool_delta({}, {"arguments": text[start : start + ARGUMENTS_PIECE]})

    def frames(self, text: str) -> None:
        """Send `text` as it is; chunks of HTTP and frames of SSE need not end together."""
        self._begin()
        payload = text.encode()
        for start in range(0, len(payload), CHUNK_BYTES):
            piece = payload[start : start + CHUNK_BYTES]
            self._send(b"%x\r\n%b\r\n" % (len(piece), piece))

    def finish(self, reason: str = "stop") -> None:
        """End the answer properly."""
        end = f'{self._head}{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}\n\n'
        if self._usage:
            usage = {"prompt_tokens": 11, "completion_tokens": self._count}
            usage |= {"total_tokens": 11 + self._count}
            end += f'{self._head}],"usage":{json.dumps(usage)}}}\n\n'
        self.frames(f"{end}data: [DONE]\n\n")
        self._send(b"0\r\n\r\n")

    def break_off(self) -> None:
        """Close the connection in the middle of a chunk."""
        self._begin()
        self._send(b'1000\r\ndata: {"id":"chatcmpl-0","obj')
        self._handler.close_connection = True

    def wait(self, seconds: float | None = None) -> None:
        """Let time pass, for ever by default.

        Raises:
            ClientLeft: The client closes its connection meanwhile.
        """
        connection = self._handler.connection
        ready, _, _ = select.select([connection], [], [], seconds)
        if ready and not connection.recv(1, socket.MSG_PEEK):
            raise ClientLeft

    def wait_for_release(self) -> None:
        """Wait for a release that came after this request; raises as `wait`."""
        handler: Any = self._handler
        while handler.server.releases == handler.releases:
            self.wait(_POLL_S)

    def _tool_delta(self, head: dict[str, Any], function: dict[str, str]) -> None:
        delta = {"tool_calls": [{"index": 0, **head, "function": function}]}
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        self.frames(f"{self._head}{json.dumps(choice)}]}}\n\n")

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            stream = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
            send_head(self._handler, 200, stream)
            role = '{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}'
            self.frames(f"{self._head}{role}]}}\n\n")

    def _send(self, data: bytes) -> None:
        self._handler.wfile.write(data)


def prompt_of(request: dict[str, Any]) -> str:
    """The text of the last user message, given as a string or as a list of parts."""
    asked = [m["content"] for m in messages_of(request) if m.get("role") == "user"]
    content = asked[-1] if asked else ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def messages_of(request: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of a request: an empty one where there is none."""
    return request.get("messages") or [{}]


def results_of(request: dict[str, Any]) -> int:
    """How many results of tools follow the last user message."""
    roles = [message.get("role") for message in messages_of(request)]
    last = max((i for i, role in enumerate(roles) if role == "user"), default=0)
    return roles[last:].count("tool")


def is_title(request: dict[str, Any]) -> bool:
    """Whether opencode asks for a session's title, which it does beside the first prompt."""
    first = messages_of(request)[0]
    return first.get("role") == "system" and "title generator" in str(first["content"])


def send_json(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: Any,
    headers: dict[str, str] | None = None,
) -> None:
    """Send a whole JSON answer."""
    payload = json.dumps(body).encode()
    fixed = {"Content-Type": "application/json", "Content-Length": str(len(payload))}
    send_head(handler, status, fixed | (headers or {}))
    handler.wfile.write(payload)


def send_head(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    """Send the status line and the headers."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
