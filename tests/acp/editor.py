"""An editor of the fewest words, for counts and times: no library is between it and the pipe."""

import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.acp.agents import Agent
from tests.acp.plan import NO_CAPABILITIES
from tests.acp.transcript import Json

START_S, STOP_S = 240.0, 60.0


class Heard(NamedTuple):
    """A message of the agent, and when it came in seconds of `time.monotonic`."""

    at: float
    message: Json

    def chunk_of(self, session: str) -> str:
        """The text that it adds to the answer in a session."""
        about = self.message.get("params", {}).get("sessionId")
        return (self.chunk or "") if about == session else ""

    @property
    def chunk(self) -> str | None:
        """The text that it adds to the answer; None if it is none of it."""
        update = self.message.get("params", {}).get("update", {})
        if update.get("sessionUpdate") == "agent_message_chunk":
            return str(update["content"]["text"])
        return None


class Editor:
    """The client's end of two pipes; it permits whatever it is asked.

    Attributes:
        heard: every message of the agent so far.
        pid: of the agent.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.heard: list[Heard] = []
        self.pid = process.pid
        self._process = process
        self._ids = itertools.count(1)
        self._sending = threading.Lock()
        self._news = threading.Condition()
        self._over = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ask(self, method: str, deadline_s: float = START_S, **params: Any) -> tuple[int, Json]:
        """Make a request, and wait for its `answer`."""
        return self.answer(self.send(method, **params), deadline_s)

    def send(self, method: str, **params: Any) -> int:
        """Make a request, and return its id."""
        number = next(self._ids)
        self._write({"id": number, "method": method, "params": params})
        return number

    def notify(self, method: str, **params: Any) -> None:
        """Tell the agent something that needs no answer."""
        self._write({"method": method, "params": params})

    def answer(self, number: int, deadline_s: float) -> tuple[int, Json]:
        """Wait for the answer to a request.

        Returns:
            How many messages came before it, and its result.
        """

        def wanted(heard: Heard) -> bool:
            return "method" not in heard.message and heard.message.get("id") == number

        place = self.wait(wanted, 0, deadline_s)
        message = self.heard[place].message
        assert "result" in message, message
        return place, message["result"]

    def wait(self, wanted: Callable[[Heard], bool], begin: int, deadline_s: float) -> int:
        """Wait for a message, and return its place among those heard.

        Raises:
            TimeoutError: none comes within `deadline_s`.
            EOFError: the agent has ended without.
        """
        end = time.monotonic() + deadline_s
        with self._news:
            while True:
                for place in range(begin, len(self.heard)):
                    if wanted(self.heard[place]):
                        return place
                begin = len(self.heard)
                if self._over:
                    raise EOFError(f"the agent has ended: {self._process.wait(STOP_S)}")
                if not self._news.wait(end - time.monotonic()):
                    raise TimeoutError(f"not within {deadline_s} s; last: {self.heard[-3:]}")

    def introduce(self) -> None:
        """Say what it is, and has not to offer."""
        self.ask("initialize", protocolVersion=1, clientCapabilities=NO_CAPABILITIES)

    def begin(self, agent: Agent) -> str:
        """Make a session in the agent's folder, and return its id."""
        _, made = self.ask("session/new", cwd=str(agent.directory), mcpServers=[])
        return str(made["sessionId"])

    def prompt(self, session: str, text: str, deadline_s: float) -> int:
        """Have a turn to its end; return how many messages came before the answer."""
        return self.answer(self.send_prompt(session, text), deadline_s)[0]

    def send_prompt(self, session: str, text: str) -> int:
        """Begin a turn, and return the id of its request."""
        said = [{"type": "text", "text": text}]
        return self.send("session/prompt", sessionId=session, prompt=said)

    def end(self) -> None:
        """Close the agent's standard input, and see it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _write(self, message: Json) -> None:
        assert self._process.stdin is not None
        line = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
        with self._sending:
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            heard = Heard(time.monotonic(), json.loads(line))
            if heard.message.get("method") == "session/request_permission":
                self._permit(heard.message)
            with self._news:
                self.heard.append(heard)
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    def _permit(self, request: Json) -> None:
        options = request["params"]["options"]
        chosen = next(one["optionId"] for one in options if one["kind"] == "allow_once")
        outcome = {"outcome": "selected", "optionId": chosen}
        self._write({"id": request["id"], "result": {"outcome": outcome}})


@contextmanager
def editor(agent: Agent) -> Iterator[Editor]:
    """Launch an agent, and end it with the ``with`` block."""
    pipe = subprocess.PIPE
    log = subprocess.DEVNULL
    with subprocess.Popen(
        agent.command, cwd=agent.directory, env=agent.env, stdin=pipe, stdout=pipe, stderr=log
    ) as process:
        one = Editor(process)
        try:
            yield one
        finally:
            one.end()
