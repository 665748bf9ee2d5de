"""What tests of agents send to a `weir up`, by hand and by scripts of authors."""

import contextlib
import http.client
import json
import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from tests.blackbox.weir_up import Up, said
from tests.processes import DEADLINE_S, ROOT, Running, running, wait_until


def send(up: Up, agent: str, *lines: Any, **query: Any) -> list[dict[str, Any]]:
    """Send lines, and return the lines of the answer."""
    body = b"".join(as_line(line) for line in lines)
    return answered(post(up, agent, body, **query))


def post(up: Up, agent: str, body: bytes, **query: Any) -> tuple[int, bytes]:
    where = "&".join(f"{key}={value}" for key, value in query.items())
    parts = urlsplit(up.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, DEADLINE_S)
    with contextlib.closing(connection):
        connection.request("POST", f"/weir/agents/{agent}?{where}", body)
        answer = connection.getresponse()
        return answer.status, answer.read()


def answered(reply: tuple[int, bytes]) -> list[dict[str, Any]]:
    status, body = reply
    assert status == 200, body
    return [json.loads(line) for line in body.splitlines()]


def as_line(line: Any) -> bytes:
    return (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n"


def begin(session: str, turn: str = "t") -> dict[str, Any]:
    return {"type": "begin", "turn": turn, "session": session, "prompt": "do it"}


def text(words: str, turn: str = "t") -> dict[str, Any]:
    return {"type": "text", "turn": turn, "text": words}


END = {"type": "end", "turn": "t"}


@contextlib.contextmanager
def author(up: Up, folder: Path, script: str, *words: str) -> Iterator[Running]:
    """Run a script of an author in a folder of its own."""
    file = folder / "author.py"
    file.write_text(script)
    with running(str(file), up.url, *words, log=folder / "author.log", cwd=folder) as process:
        yield process


def figures(up: Up) -> dict[str, float]:
    """Return what ``/metrics`` says, by name and labels."""
    with urlopen(f"{up.url}/metrics") as reply:
        lines = reply.read().decode().splitlines()
    rows = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def connected(up: Up, agent: str) -> None:
    """Wait until an agent takes prompts."""

    def found() -> bool:
        known = up.call("GET", "/weir/agents").body
        return any(one["name"] == agent and one["prompts"] for one in known)

    wait_until(found, what=f"agent {agent}")


class Live:
    """A request whose body goes on while its answer is read."""

    def __init__(
        self, url: str, method: str, path: str, chunked: bool = False, length: int = 0
    ) -> None:
        parts = urlsplit(url)
        self._sock = socket.create_connection((parts.hostname, parts.port), DEADLINE_S)
        framed = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
        self.write(f"{method} {path} HTTP/1.1\r\nHost: weir\r\n{framed}\r\n\r\n".encode())
        self._answer: http.client.HTTPResponse | None = None

    def write(self, data: bytes) -> None:
        self._sock.sendall(data)

    def send_line(self, line: Any) -> None:
        data = as_line(line)
        self.write(b"%x\r\n%b\r\n" % (len(data), data))

    def line(self) -> dict[str, Any]:
        if self._answer is None:
            self._answer = http.client.HTTPResponse(self._sock)
            self._answer.begin()
            assert self._answer.status == 200, self._answer.read()
        return json.loads(self._answer.readline())

    def until(self, kind: str) -> dict[str, Any]:
        while (line := self.line())["type"] != kind:
            pass
        return line

    def until_ack(self, seq: int) -> list[dict[str, Any]]:
        """Return the lines before the one that acknowledges a number."""
        found = []
        while (line := self.line()).get("type") != "ack" or line["seq"] < seq:
            found.append(line)
        return [line for line in found if line["type"] != "ack"]

    def zeros(self, count: int) -> None:
        """Send zero bytes."""
        send_zeros(self._sock, count)

    def close(self) -> None:
        self._sock.close()


@contextlib.contextmanager
def raw(up: Up, method: str, path: str, **how: Any) -> Iterator[Live]:
    live = Live(up.url, method, path, **how)
    try:
        yield live
    finally:
        live.close()


def readme_lines(up: Up) -> str:
    """Return the lines of the README that publish a turn."""
    text = (ROOT / "README.md").read_text()
    code = re.search(r"```python\n(import weir\n.*?)```", text, re.DOTALL)
    assert code is not None
    return code[1].replace("http://127.0.0.1:4097", up.url)


WRITES = """
import itertools, sys, weir
with weir.connect(sys.argv[1], name=sys.argv[2]) as w:
    with w.session(sys.argv[3]).turn("count") as t:
        for number in itertools.count() if sys.argv[4] == "0" else range(int(sys.argv[4])):
            t.text(f"{number:07d}|")
            if number % 500 == 0:
                t.flush()
                print("saved", number, flush=True)
"""


def numbers(message: dict[str, Any]) -> list[int]:
    """Return the numbers that an author has written; each is whole, or the last is cut."""
    return [int(one) for one in said(message).split("|")[:-1]]


def last_saved(process: Running) -> int:
    return int(re.findall(r"saved (\d+)", process.output)[-1])


def send_zeros(sock: socket.socket, count: int) -> None:
    """Send zero bytes that no process holds in memory."""
    with tempfile.TemporaryFile() as file:
        file.truncate(count)
        sock.sendfile(file)


def peak_kb(pid: int, anew: bool = False) -> int:
    """Return the most memory that a process has used; `anew`: from now on."""
    if anew:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
