"""An editor, as an agent sees it: a process that it starts, and lines in both directions."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.blackbox.weir_up import NO_TWINS
from tests.processes import DEADLINE_S, ROOT

Json = dict[str, Any]


class Editor:
    """Talks to an agent.

    Attributes:
        process: the agent.
        updates: what it told of sessions, in order: ``{"sessionId", "update"}``.
        asks: its requests, in order.
        answer_ask: returns the result of one of its requests; None to let it wait.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.updates: list[Json] = []
        self.asks: list[Json] = []
        self.withdrawn: list[Any] = []
        self.answer_ask: Callable[[Json], Any] = lambda ask: None
        self._lines: queue.SimpleQueue = queue.SimpleQueue()
        self._answers: dict[Any, Json] = {}
        self._ids = 0
        threading.Thread(target=self._read, daemon=True).start()

    def write(self, data: bytes) -> None:
        """Write bytes to the agent."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, method: str, params: Any) -> int:
        """Send a request; return its id."""
        self._ids += 1
        self._send({"id": self._ids, "method": method, "params": params})
        return self._ids

    def tell(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def reply(self, ask: Json, **outcome: Any) -> None:
        """Answer one of the agent's requests with a ``result`` or an ``error``."""
        self._send({"id": ask["id"], **outcome})

    def is_answered(self, id_: Any) -> bool:
        """Whether the answer to a request has been read, and not yet taken."""
        return id_ in self._answers

    def answer(self, id_: Any, deadline_s: float = DEADLINE_S) -> Json:
        """Wait for the answer to a request; return all of it."""
        while id_ not in self._answers:
            self.next(deadline_s)
        return self._answers.pop(id_)

    def call(self, method: str, params: Any, deadline_s: float = DEADLINE_S) -> Json:
        """Send a request and return its answer, result or error."""
        return self.answer(self.send(method, params), deadline_s)

    def until(self, condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """Read until a condition holds; return its value."""
        while not (value := condition()):
            self.next(deadline_s)
        return value

    def next(self, deadline_s: float = DEADLINE_S) -> Json:
        """Take the next line.

        Raises:
            AssertionError: there is none in time, or the agent has ended.
        """
        try:
            line = self._lines.get(timeout=deadline_s)
        except queue.Empty:
            raise AssertionError(f"the agent says nothing for {deadline_s} s") from None
        assert line is not None, "the agent has ended"
        message = json.loads(line)
        if message.get("method") == "session/update":
            self.updates.append(message["params"])
        elif message.get("method") == "$/cancel_request":
            self.withdrawn.append(message["params"]["requestId"])
        elif "method" in message:
            self.asks.append(message)
            result = self.answer_ask(message)
            if result is not None:
                self.reply(message, result=result)
        else:
            self._answers[message.get("id")] = message
        return message

    def start(self, directory: str = "/srv", **capabilities: Any) -> str:
        """Initialize, and make a session; return its id."""
        params = {"protocolVersion": 1, "clientCapabilities": capabilities}
        assert "result" in self.call("initialize", params)
        return self.new(directory)

    def new(self, directory: str = "/srv") -> str:
        """Make a session, and return its id."""
        made = self.call("session/new", {"cwd": directory, "mcpServers": []})
        return str(made["result"]["sessionId"])

    def prompt(self, session: str, words: str) -> int:
        """Send a prompt; return the id of the request."""
        blocks = [{"type": "text", "text": words}]
        return self.send("session/prompt", {"sessionId": session, "prompt": blocks})

    def said(self, session: str, kind: str = "agent_message_chunk") -> str:
        """All the text of a session so far."""
        return "".join(
            one["update"]["content"]["text"]
            for one in self.updates
            if one["sessionId"] == session and one["update"]["sessionUpdate"] == kind
        )

    def told(self, kind: str) -> list[Json]:
        """All updates of a kind so far."""
        updates = [one["update"] for one in self.updates]
        return [one for one in updates if one["sessionUpdate"] == kind]

    def _send(self, message: Json) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)


@contextmanager
def agent(server: str, *flags: str, **env: str) -> Iterator[Editor]:
    """Run an agent for the time of a ``with`` block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "acp_client", "--server", server, *flags],
        cwd=ROOT,
        env={**os.environ, **NO_TWINS, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    editor = Editor(process)
    try:
        yield editor
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(DEADLINE_S)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
