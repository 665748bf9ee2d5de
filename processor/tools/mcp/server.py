"""One MCP server, seen from the processor: its state, its tools, and the calls that run.

A process of its own (`processor.tools.mcp.host`) connects to the server.

Rules:

1. This process is started at once. When it ends, it is started again after a pause.
2. When the process ends, all running calls fail. Calls have a deadline here too, in case the
   process hangs.
3. When a call times out or its turn is aborted, the call is cancelled at the server.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
from typing import Any

import gevent
import msgspec
from gevent.event import AsyncResult
from msgspec import Struct

from bus.backoff import Backoff
from bus.mcp import McpServer
from processor.tools.mcp.config import EXTRA, is_installed
from processor.tools.process import Program, ToolProcess, ToolProcesses
from processor.tools.tool import ToolFailed

log = logging.getLogger("weir.processor")

LATER_S = 5.0
"""How much later a call's deadline is here than in `host.py`, so that its error comes first."""
MOST_CALLS = 64
_HOST = Program("mcp/host.py", stop_s=3.0, has_packages=True)
_ENDED = "the server has ended"


class RemoteTool(Struct):
    """A tool as its server describes it; `parameters` is the JSON schema of the arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


class CallResult(Struct):
    """The result of a call.

    Attributes:
        text: the text for the model.
        files: images and sounds, each ``{"type": "file", "mime": …, "url": …}``.
        is_error: whether the server reports that the call failed.
    """

    text: str
    files: list[dict[str, Any]]
    is_error: bool


class ServerProcess:
    """Runs the process for one server, and calls its tools.

    Args:
        name: the name of the server in the configuration.
        config: the command that starts the server, or its URL.
        processes: starts the process.
    """

    def __init__(self, name: str, config: McpServer, processes: ToolProcesses) -> None:
        self.name = name
        self.config = config
        self.tools: list[RemoteTool] = []
        self.error = "" if is_installed() else EXTRA
        self._processes = processes
        self._process: ToolProcess | None = None
        self._calls: dict[int, AsyncResult[dict[str, Any]]] = {}
        self._is_ready = False
        self._numbers = itertools.count(1)
        can_run = config.enabled and not self.error
        self._running = gevent.spawn(self._run) if can_run else None
        self._settled = gevent.event.Event()
        if not can_run:
            self._settled.set()

    @property
    def is_connected(self) -> bool:
        """Whether the server's tools can be called now."""
        return self._is_ready and not self.error

    def status(self) -> dict[str, str]:
        """Return the server's state in opencode's form, such as ``{"status": "connected"}``."""
        if not self.config.enabled:
            return {"status": "disabled"}
        if self.is_connected:
            return {"status": "connected"}
        return {"status": "failed", "error": self.error or "the server is being started"}

    def wait(self, most_s: float) -> None:
        """Wait until the server is ready or has failed, but at most for `most_s` seconds."""
        self._settled.wait(most_s)

    def call(self, tool: str, arguments: dict[str, Any]) -> CallResult:
        """Call a tool, and wait for the result.

        Raises:
            ToolFailed: the server is not connected, has too many calls, reports an error, or has
                not answered in time.
        """
        if not self.is_connected:
            raise ToolFailed(f"MCP server {self.name}: {self.error or 'it is being started'}")
        if len(self._calls) >= MOST_CALLS:
            raise ToolFailed(f"MCP server {self.name}: {MOST_CALLS} calls run already")
        number, timeout_s = next(self._numbers), self.config.timeout_s
        waiting = self._calls[number] = AsyncResult()
        request = {"id": number, "tool": tool, "arguments": arguments, "timeout_s": timeout_s}
        try:
            self._send(request)
            found = waiting.get(timeout=timeout_s + LATER_S) or {}
        except gevent.Timeout:
            raise ToolFailed(
                f"MCP server {self.name}: it has not answered within {timeout_s:g} s"
            ) from None
        finally:
            del self._calls[number]
            if not waiting.ready():
                with contextlib.suppress(ToolFailed):
                    self._send({"cancel": number})
        if "error" in found:
            raise ToolFailed(f"MCP server {self.name}: {found['error']}")
        return msgspec.convert(found, CallResult)

    def close(self) -> None:
        """End the server; calls that run fail."""
        if self._running is not None:
            self._running.kill()

    def _send(self, line: dict[str, Any]) -> None:
        if self._process is None:
            raise ToolFailed(f"MCP server {self.name}: {self.error}")
        try:
            self._process.send(line)
        except OSError:
            raise ToolFailed(f"MCP server {self.name}: it has ended") from None

    def _run(self) -> None:
        """Run the server, and start it again after a pause whenever it ends.

        The pause grows with each failure; it is short again after the server has been ready.
        """
        backoff = Backoff(first_s=1.0, most_s=60.0)
        while True:
            self.error = ""
            with self._processes.started(_HOST, msgspec.to_builtins(self.config)) as process:
                self._process = process
                try:
                    for line in process.lines():
                        if self._take(line):
                            backoff.reset()
                finally:
                    self._fail_calls()
            self.error = self.error or _ENDED
            self._settled.set()
            log.warning("MCP server %s: %s", self.name, self.error)
            gevent.sleep(backoff.next_s())

    def _fail_calls(self) -> None:
        self._process, self._is_ready, self.tools = None, False, []
        for waiting in list(self._calls.values()):
            waiting.set({"error": self.error or _ENDED})

    def _take(self, line: dict[str, Any]) -> bool:
        """Handle a line from the process; return whether it shows that the server is ready."""
        if "failed" in line:
            self.error = line["failed"]
        elif "tools" in line:
            self.tools = msgspec.convert(line["tools"], list[RemoteTool])
            self._is_ready = True
            self._settled.set()
            return True
        elif (waiting := self._calls.get(line["id"])) is not None:
            waiting.set(line)
        return False
