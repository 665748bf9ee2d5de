"""A whole weir under test, as a person starts it, and the requests a client makes of it."""

import contextlib
import http.client
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from tests.benchmarks import process_tree
from tests.benchmarks.child import child
from tests.benchmarks.memory import PROVIDER
from tests.fakes.process import start_provider

READY = "weir is ready: "
WORKERS = 2
_DEADLINE_S = 60.0
_POLL_S = 0.02


class Weir:
    """A running ``weir up`` in front of a scripted provider.

    Attributes:
        url: where it answers.
        directory: the folder its sessions are in.
        log: the file of what its processes log.
        groups: process ids of its parts and of the provider, by name.
    """

    def __init__(
        self, url: str, directory: Path, log: Path, up: int, provider: int, workers: int
    ) -> None:
        self.url = url
        self.directory = str(directory)
        self.log = log
        self._provider = provider
        self._up = up
        # It is ready when one worker answers; the others may not be there yet.
        wait_until(lambda: len(self._parts().get("workers", ())) == workers, _DEADLINE_S)
        self.groups = self._parts()

    @property
    def is_whole(self) -> bool:
        """Whether the processes are those it began with."""
        return self._parts() == self.groups

    @property
    def streams(self) -> list[str]:
        """Paths of the two streams that a client may follow."""
        return [f"/event?directory={quote(self.directory)}", "/global/event"]

    def session(self) -> str:
        """Make a session, and return its id."""
        return str(self.ask("POST", "/session", {})["id"])

    def prompt(self, session: str, text: str) -> None:
        """Prompt a session, and return as soon as the prompt is taken."""
        body = {"parts": [{"type": "text", "text": text}]}
        self.ask("POST", f"/session/{session}/prompt_async", body)

    def messages(self, session: str) -> list[dict[str, Any]]:
        """Return the messages of a session."""
        answer: list[dict[str, Any]] = self.ask("GET", f"/session/{session}/message")
        return answer

    def wait_for_answer(self, session: str) -> None:
        """Wait until the last prompt of a session is answered."""
        wait_until(lambda: _is_answer(self.messages(session)[-1]), _DEADLINE_S)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request, and return the JSON of its answer, None of an empty one.

        Raises:
            RuntimeError: it is refused.
        """
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_DEADLINE_S)
        with contextlib.closing(connection):
            payload = None if body is None else json.dumps(body)
            headers = {"Content-Type": "application/json"}
            where = f"{path}?directory={quote(self.directory)}"
            connection.request(method, where, payload, headers)
            answer = connection.getresponse()
            data = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {data.decode()}")
        return json.loads(data) if data else None

    def _parts(self) -> dict[str, list[int]]:
        parts: dict[str, list[int]] = {"supervisor": [self._up]}
        for process in process_tree.below(self._up):
            parts.setdefault(_part(process, self._up), []).append(process.pid)
        return {name: sorted(pids) for name, pids in parts.items()} | {PROVIDER: [self._provider]}


def _is_answer(message: dict[str, Any]) -> bool:
    return "completed" in message["info"]["time"]


def _part(process: process_tree.Process, up: int) -> str:
    if "-m processor" in process.command:
        return "processor"
    return "gateway" if process.parent == up else "workers"


@contextlib.contextmanager
def weir_up(*flags: str, path: Path | None = None) -> Iterator[Weir]:
    """Run a fresh deployment and its provider for the time of a ``with`` block.

    Args:
        flags: more of weir's.
        path: a folder whose modules all of its processes see first.
    """
    with start_provider() as model:
        native = ("--model-url", model.url, "--model", "m1")
        with _weir(model.pid, *native, *flags, path=path) as weir:
            yield weir


@contextlib.contextmanager
def demo_up(*flags: str) -> Iterator[Weir]:
    """Run a fresh deployment with the demo model for the time of a ``with`` block."""
    with _weir(os.getpid(), *flags, path=None) as weir:
        yield weir


@contextlib.contextmanager
def weir_before(upstream: str, pid: int, *flags: str, path: Path | None = None) -> Iterator[Weir]:
    """Run a fresh deployment in front of a server for the time of a ``with`` block.

    Args:
        upstream: URL by which weir reaches the server.
        pid: of the server, which counts as the provider.
        flags: more of weir's.
        path: a folder whose modules all of its processes see first.
    """
    with _weir(pid, "--upstream", upstream, *flags, path=path) as weir:
        yield weir


@contextlib.contextmanager
def _weir(provider: int, *flags: str, path: Path | None) -> Iterator[Weir]:
    with tempfile.TemporaryDirectory(prefix="weir-bench-") as folder:
        state, work, log = (Path(folder) / name for name in ("state", "work", "log"))
        work.mkdir()
        command = ["-m", "deploy.cli", "up", "--port", "0", "--state", str(state)]
        # The last one counts, and each flag has a value.
        command += ["--workers", str(WORKERS), *flags]
        workers = int(dict(zip(flags[::2], flags[1::2], strict=True)).get("--workers", WORKERS))
        with log.open("wb") as stderr, child(*command, stderr=stderr, cwd=work, path=path) as up:
            try:
                url = up.line(_DEADLINE_S).removeprefix(READY).strip()
            except (EOFError, TimeoutError) as error:
                raise RuntimeError(f"weir did not start: {log.read_text()}") from error
            yield Weir(url, work, log, up.pid, provider, workers)


def wait_until(condition: Callable[[], bool], deadline_s: float) -> None:
    """Wait until `condition` holds.

    Raises:
        TimeoutError: it does not within `deadline_s`.
    """
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{condition} does not hold after {deadline_s} s")
        time.sleep(_POLL_S)
