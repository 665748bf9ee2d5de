"""A program that connects to one MCP server, and passes the processor's calls to the server.

It uses the official package ``mcp``, which needs asyncio; so it cannot run in the processor, which
uses gevent.

Rules:

1. The first line of stdin is the configuration of the server (JSON). Each further line is a call,
   ``{"id", "tool", "arguments", "timeout_s"}``, or ``{"cancel": id}``. When stdin ends, the server
   is ended.
2. Each line of stdout is ``{"tools": [...]}`` when the server is ready and when its tools change,
   ``{"failed": why}`` before the program ends, or the result of a call: ``{"id", "text", "files",
   "is_error"}`` or ``{"id", "error"}``.
3. A result is cut at `MOST_CHARACTERS`. If the server sends so much at once that this program uses
   more than `MOST_MEMORY` bytes, the program ends the server and itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import Any

if __name__ == "__main__":
    sys.path.append(os.path.abspath(f"{__file__}/../../../.."))

import httpx2
from mcp import MCPError, StdioServerParameters, stdio_client
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CONNECTION_CLOSED

from processor.tools.descendants import adopt_orphans, descendants, send

MOST_CHARACTERS = 4 * 1024 * 1024
MOST_MEMORY = 512 * 1024 * 1024
MOST_TOOLS = 500
MOST_SCHEMA_CHARACTERS = 64 * 1024
CONNECT_S = 30.0
LIST_S = 30.0
MOST_LINE_BYTES = 16 * 1024 * 1024
_WATCH_S = 0.5
_GONE = "the server has ended"
_QUIET_S = 3600.0
"""How long an HTTP server may send nothing; each call has a shorter deadline of its own."""


class ServerFailed(Exception):
    """The server cannot be used; the message says why."""


class Host:
    """The connection to one server, and the calls that run.

    Args:
        config: the configuration of the server, with the keys of `bus.mcp.McpServer`.
        lines: the further lines of stdin.
    """

    def __init__(self, config: dict[str, Any], lines: asyncio.StreamReader) -> None:
        self._config = config
        self._lines = lines
        self._running: dict[int, asyncio.Task[None]] = {}
        self._tasks = set[asyncio.Task[None]]()
        self._changed = asyncio.Event()
        self._closed = asyncio.Event()

    async def run(self) -> None:
        """Connect to the server, and pass calls to it until stdin or the server ends."""
        watching = asyncio.create_task(_watch_memory())
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(CONNECT_S):
                    client = await stack.enter_async_context(self._client())
                await self._list(client)
                await self._serve(client)
        finally:
            watching.cancel()

    def _client(self) -> Client:
        config = self._config
        if config["type"] == "local":
            command, *arguments = config["command"]
            server = StdioServerParameters(
                command=command,
                args=arguments,
                env={**os.environ, **config["environment"]},
                cwd=config["cwd"],
            )
            # Discard stderr: a server may write any amount to it, and the model does not need it.
            transport = stdio_client(server, errlog=open(os.devnull, "w"))  # noqa: SIM115
        else:
            timeout = httpx2.Timeout(CONNECT_S, read=_QUIET_S)
            http = httpx2.AsyncClient(headers=config["headers"], timeout=timeout)
            transport = streamable_http_client(config["url"], http_client=http)
        return Client(transport, message_handler=self._take, cache=None)

    async def _take(self, message: Any) -> None:
        """Handle a message that the server sends without a request: its list of tools changed."""
        if type(message).__name__ == "ToolListChangedNotification":
            self._changed.set()

    async def _list(self, client: Client) -> None:
        tools, cursor = list[dict[str, Any]](), None
        try:
            async with asyncio.timeout(LIST_S):
                while len(tools) < MOST_TOOLS:
                    page = await client.list_tools(cursor=cursor)
                    tools += [tool for tool in map(_tool, page.tools) if tool is not None]
                    cursor = page.next_cursor
                    if not cursor:
                        break
        except TimeoutError:
            why = f"the server has not listed its tools within {LIST_S:g} s"
            raise ServerFailed(why) from None
        _say({"tools": tools[:MOST_TOOLS]})

    async def _serve(self, client: Client) -> None:
        work = [self._relist(client), self._read(client)]
        if self._config["type"] == "local":
            work.append(self._until_gone())
        tasks = [asyncio.create_task(one) for one in work]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in (*rest, *self._tasks):
            task.cancel()
        for task in done:
            task.result()

    async def _until_gone(self) -> None:
        """Wait until a local server has closed its stdout or ended.

        The process is checked every half second; a closed stdout is seen by the call that fails.

        Raises:
            ServerFailed: no more calls can be sent to the server.
        """
        while descendants(os.getpid()) and not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), _WATCH_S)
        raise ServerFailed(_GONE)

    async def _relist(self, client: Client) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._list(client)
            await asyncio.sleep(1)  # a server may report changes all the time

    async def _read(self, client: Client) -> None:
        while line := await self._lines.readline():
            request = json.loads(line)
            if "cancel" in request:
                if (task := self._running.get(request["cancel"])) is not None:
                    task.cancel()
                continue
            task = asyncio.create_task(self._call(client, request))
            self._running[request["id"]] = task
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _call(self, client: Client, request: dict[str, Any]) -> None:
        number = request["id"]
        try:
            async with asyncio.timeout(request["timeout_s"]):
                result = await client.call_tool(request["tool"], request["arguments"])
            _say({"id": number, **_result(result)})
        except TimeoutError:
            _say({"id": number, "error": f"no answer within {request['timeout_s']:g} s"})
        except Exception as error:
            if self._config["type"] == "local" and _is_closed(error):
                _say({"failed": _GONE})  # sent before the call's error, so that no new call comes
                self._closed.set()
            _say({"id": number, "error": f"{error}"[:MOST_CHARACTERS] or type(error).__name__})
        finally:
            del self._running[number]


def _is_closed(error: Exception) -> bool:
    """Return whether a call failed because the server has closed its stdout.

    A server that ends closes its stdout first; for a moment its process still runs. The text
    matters too, because servers use this code for errors of their own.
    """
    closed = (CONNECTION_CLOSED, "Connection closed")
    return isinstance(error, MCPError) and (error.code, error.message) == closed


def _tool(tool: Any) -> dict[str, Any] | None:
    """Return a tool's name, description and schema; None if these are too long for a model."""
    schema = tool.input_schema
    if len(json.dumps(schema)) + len(tool.description or "") > MOST_SCHEMA_CHARACTERS:
        return None
    return {"name": tool.name, "description": tool.description or "", "parameters": schema}


def _result(result: Any) -> dict[str, Any]:
    texts, files, left = list[str](), list[dict[str, str]](), MOST_CHARACTERS
    for item in result.content:
        if item.type in ("image", "audio"):
            if len(item.data) <= left:
                url = f"data:{item.mime_type};base64,{item.data}"
                files.append({"type": "file", "mime": item.mime_type, "url": url})
                left -= len(item.data)
            continue
        words = _words(item)
        texts.append(words[:left] + "\n(the result was cut here)" * (len(words) > left))
        left -= min(left, len(words))
    if not texts and result.structured_content is not None:
        texts.append(json.dumps(result.structured_content)[:MOST_CHARACTERS])
    return {"text": "\n\n".join(texts), "files": files, "is_error": bool(result.is_error)}


def _words(item: Any) -> str:
    if item.type == "text":
        return str(item.text)
    if item.type == "resource_link":
        return f"{item.name}: {item.uri}"
    return str(getattr(getattr(item, "resource", None), "text", "")) or f"({item.type})"


async def _watch_memory() -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    while True:
        with contextlib.suppress(OSError), open("/proc/self/statm") as file:
            if int(file.read().split()[1]) * page > MOST_MEMORY:
                _end(f"the server has sent more than {MOST_MEMORY} bytes at once")
        await asyncio.sleep(_WATCH_S)


def _end(why: str) -> None:
    _say({"failed": why})
    send(signal.SIGKILL, descendants(os.getpid()))
    os._exit(1)


def _say(line: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


async def main() -> None:
    """Read the configuration from stdin, and run the server until it or stdin ends."""
    lines = asyncio.StreamReader(limit=MOST_LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    config = await lines.readline()
    if not config:
        return
    try:
        await Host(json.loads(config), lines).run()
    except BaseExceptionGroup as group:
        _say({"failed": _first(group)})
    except TimeoutError:
        _say({"failed": f"the server has not answered within {CONNECT_S:g} s"})
    except Exception as error:
        _say({"failed": f"{error}" or type(error).__name__})


def _first(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{error}" or type(error).__name__


if __name__ == "__main__":
    adopt_orphans()
    try:
        asyncio.run(main())
    finally:
        send(signal.SIGKILL, descendants(os.getpid()))
