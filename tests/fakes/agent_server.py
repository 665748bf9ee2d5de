"""A server of sessions that says what a test tells it to, and remembers what it was asked.

It has the routes that the ACP agent uses, in opencode's shapes, and one event stream for each
connection. Sessions, messages and asks are whatever the test puts into them.
"""

import json
import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.processes import free_port, wait_until

Json = dict[str, Any]
MODEL = {"providerID": "fake", "modelID": "m1"}
_CUT = object()

PROVIDERS = {
    "providers": [
        {"id": "fake", "name": "Fake", "models": {"m1": {"limit": {"context": 1000}}, "m2": {}}}
    ],
    "default": {"fake": "m1"},
}
AGENTS = [{"name": "build", "mode": "primary"}, {"name": "plan", "mode": "primary"}]


class AgentServer:
    """The server.

    Attributes:
        url: where it listens.
        asked: ``METHOD /path`` of every request but those for the stream, in order.
        bodies: what was sent with them.
        logins: the ``Authorization`` of all requests, the stream's too.
        answers: more routes: what ``METHOD /path`` answers, or a function of the body that does;
            a pair is a status and a body.
        messages: what a session's messages are, by session.
        busy: sessions that are not idle.
        resumed: what ``server.connected`` says of it; None for nothing, as an opencode.
        mute: does what it is asked by POST, and breaks the connection instead of answering.
    """

    def __init__(self, port: int = 0) -> None:
        self.asked: list[str] = []
        self.bodies: list[Any] = []
        self.logins: set[str | None] = set()
        self.answers: dict[str, Any] = {}
        self.sessions: dict[str, Json] = {}
        self.messages: dict[str, list[Json]] = {}
        self.busy: set[str] = set()
        self.resumed: bool | None = None
        self.mute = False
        self.on_prompt: Callable[[str, Json], None] = lambda session, body: None
        self._streams: list[queue.SimpleQueue] = []
        self._done: list[str] = []
        self._closed = False
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"fake": self})
        # One that nobody is given while no server is here: it may come back on it.
        self._http = ThreadingHTTPServer(("127.0.0.1", port or free_port()), handler)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """Listen no more, then cut what is open: a client that is cut may come back at once."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        with self._lock:
            self._closed = True
        self.cut()

    def note(self, what: str, body: Any) -> None:
        """Remember a request; whoever sees that it was asked finds its body."""
        with self._lock:
            self.bodies.append(body)
            self.asked.append(what)

    def count(self, what: str) -> int:
        """How often ``METHOD /path`` was asked for."""
        return self.asked.count(what)

    def wait_done(self, what: str) -> None:
        """Wait until a request is carried out: its events are published, its answer is chosen.

        A test that changes what the server holds, or publishes events of its own, waits for this:
        a request that was only asked for may still be about to publish.
        """
        wait_until(lambda: what in self._done, what=what)

    def publish(self, *events: Json) -> None:
        """Say events to whoever listens; wait for somebody who does."""
        wait_until(lambda: self._streams, what="a reader of the stream")
        with self._lock:
            for stream in self._streams:
                for event in events:
                    stream.put(event)

    def cut(self) -> None:
        """Reset every stream."""
        with self._lock:
            streams, self._streams = self._streams, []
        for stream in streams:
            stream.put(_CUT)

    def made(self, directory: str, **more: Any) -> Json:
        """Make a session."""
        session = {"id": f"ses_{len(self.sessions) + 1}", "directory": directory, "title": "New"}
        session |= {"time": {"created": 1, "updated": 1}, **more}
        self.sessions[session["id"]] = session
        return session

    def opened(self) -> queue.SimpleQueue:
        """Open a stream, which gets every event from now on."""
        stream: queue.SimpleQueue = queue.SimpleQueue()
        properties = {} if self.resumed is None else {"resumed": self.resumed}
        stream.put({"type": "server.connected", "properties": properties})
        with self._lock:
            if self._closed:
                stream.put(_CUT)
            else:
                self._streams.append(stream)
        return stream

    def answer(self, method: str, path: str, query: Json, body: Any) -> tuple[int, Any]:
        """Carry out a request; return the status and the body of its answer."""
        answer = self._answer(method, path, query, body)
        self._done.append(f"{method} {path}")
        return answer

    def _answer(self, method: str, path: str, query: Json, body: Any) -> tuple[int, Any]:
        special = self.answers.get(f"{method} {path}")
        if callable(special):
            special = special(body)
        if special is not None:
            return special if isinstance(special, tuple) else (200, special)
        names = path.strip("/").split("/")
        if names[0] == "session":
            return self._session(method, names[1:], query, body)
        fixed = {
            "/config/providers": PROVIDERS,
            "/agent": AGENTS,
            "/config": {},
            "/command": [],
            "/permission": [],
            "/question": [],
        }
        return (200, fixed[path]) if path in fixed else (404, {"name": "NotFoundError"})

    def _session(self, method: str, names: list[str], query: Json, body: Any) -> tuple[int, Any]:
        if not names:
            directory = query.get("directory", "/srv")
            if method == "POST":
                return 200, self.made(directory)
            here = [one for one in self.sessions.values() if one["directory"] == directory]
            return 200, here
        if names == ["status"]:
            return 200, {session: {"type": "busy"} for session in self.busy}
        session = self.sessions.get(names[0])
        if session is None:
            return 404, {"name": "NotFoundError", "data": {"message": "no such session"}}
        messages = self.messages.setdefault(names[0], [])
        match (method, *names[1:]):
            case ("GET",):
                return 200, session
            case ("DELETE",):
                del self.sessions[names[0]]
                return 200, True
            case ("GET", "message"):
                return 200, messages
            case ("GET", "message", message):
                found = [one for one in messages if one["info"]["id"] == message]
                return (200, found[0]) if found else (404, {"name": "NotFoundError"})
            case ("POST", "prompt_async"):
                self.on_prompt(names[0], body)
                return 204, None
            case ("POST", "abort"):
                return 200, True
            case ("GET", "todo"):
                return 200, []
        return 404, {"name": "NotFoundError"}


class _Handler(BaseHTTPRequestHandler):
    fake: AgentServer

    def do_GET(self) -> None:
        self.fake.logins.add(self.headers.get("Authorization"))
        if self.path.startswith("/global/event"):
            self._stream()
        else:
            self._plain()

    def do_POST(self) -> None:
        self.fake.logins.add(self.headers.get("Authorization"))
        self._plain()

    def do_DELETE(self) -> None:
        self._plain()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _plain(self) -> None:
        url = urlsplit(self.path)
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(data) if data else None
        self.fake.note(f"{self.command} {url.path}", body)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        status, said = self.fake.answer(self.command, url.path, query, body)
        if self.fake.mute and self.command == "POST":
            self.close_connection = True
            return
        payload = b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _stream(self) -> None:
        # Before the head: a client that has the head gets every event.
        stream = self.fake.opened()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        while (event := stream.get()) is not _CUT:
            frame = json.dumps({"directory": "/srv", "payload": event})
            self.wfile.write(f"data: {frame}\n\n".encode())
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextmanager
def agent_server(port: int = 0) -> Iterator[AgentServer]:
    """Run a server for the time of a ``with`` block."""
    server = AgentServer(port)
    try:
        yield server
    finally:
        server.close()


def info(
    session: str, message: str, role: str = "assistant", done: bool = False, **more: Any
) -> Json:
    """A message without its parts."""
    time = {"created": 1, "completed": 2} if done else {"created": 1}
    return {"id": message, "sessionID": session, "role": role, "time": time, **more}


def text(session: str, message: str, part: str, said: str, done: bool = False) -> Json:
    """A text part."""
    time = {"start": 1, "end": 2} if done else {"start": 1}
    ids = {"id": part, "messageID": message, "sessionID": session}
    return {**ids, "type": "text", "text": said, "time": time}


def updated(entity: Json) -> Json:
    """The event that tells a message or a part."""
    session = entity["sessionID"]
    if "role" in entity:
        properties = {"sessionID": session, "info": entity}
        return {"type": "message.updated", "properties": properties}
    properties = {"sessionID": session, "part": entity, "time": 1}
    return {"type": "message.part.updated", "properties": properties}


def delta(session: str, message: str, part: str, said: str) -> Json:
    """The event that lets a part grow."""
    ids = {"sessionID": session, "messageID": message, "partID": part}
    return {"type": "message.part.delta", "properties": {**ids, "field": "text", "delta": said}}


def status(session: str, kind: str = "idle") -> Json:
    """The event that tells what a session does."""
    properties = {"sessionID": session, "status": {"type": kind}}
    return {"type": "session.status", "properties": properties}


def answered(session: str, said: str, n: int = 1) -> list[Json]:
    """All events of a plain turn, whose text comes in one delta a word."""
    prompt, message, part = f"msg_{n}0", f"msg_{n}1", f"prt_{n}1"
    words = [word + " " for word in said.split(" ")]
    words[-1] = words[-1].rstrip(" ")
    return [
        updated(info(session, prompt, "user")),
        updated(text(session, prompt, f"prt_{n}0", "what the user said")),
        status(session, "busy"),
        updated(info(session, message, **MODEL, parentID=prompt)),
        updated(text(session, message, part, "")),
        *(delta(session, message, part, word) for word in words),
        updated(text(session, message, part, said, done=True)),
        updated(info(session, message, done=True, finish="stop", **MODEL, parentID=prompt)),
        status(session),
        {"type": "session.idle", "properties": {"sessionID": session}},
    ]
