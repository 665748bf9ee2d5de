"""`weir up` as a real process, and what a test asks of it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.http_client import Reply, call
from tests.processes import DEADLINE_S, Running, running, wait_until

# An empty twin counts as not given: the settings of whoever runs the tests stay out.
NO_TWINS = {name: "" for name in os.environ if name.startswith("WEIR_")}


class Up:
    """A running deployment.

    Attributes:
        url: where its gateway answers.
        running: the process of `weir up`.
    """

    def __init__(self, process: Running) -> None:
        self.running = process
        try:
            self.url = process.says("weir is ready: ").rpartition(" ")[2]
        except TimeoutError as error:
            raise AssertionError(f"weir is not ready; it said:\n{self.output}") from error

    @property
    def output(self) -> str:
        """What it and its services have written so far."""
        return self.running.output

    def pids(self, what: str) -> list[int]:
        """Return the pids of the `what` (processor, gateway, worker) that live."""
        said = {"worker": r"Booting worker with pid: (\d+)"}.get(
            what, rf"{what} started, pid (\d+)"
        )
        return [pid for pid in map(int, re.findall(said, self.output)) if lives(pid)]

    def workers(self, count: int) -> list[int]:
        """Wait until so many workers live, and return their pids."""
        return wait_until(
            lambda: len(found := self.pids("worker")) == count and found, what=f"{count} workers"
        )

    def everybody(self) -> list[int]:
        """Return the pids of all its processes that live."""
        found = [self.running.process.pid]
        for what in ("processor", "gateway", "worker"):
            found += self.pids(what)
        return [pid for pid in found if lives(pid)]

    def call(self, method: str, path: str, body: Any = None, **how: Any) -> Reply:
        """Send a request to its gateway."""
        return call(method, self.url + path, body, **how)

    def patiently(self, method: str, path: str, body: Any = None, **how: Any) -> Reply:
        """Send a request again until a worker has found the processor, as a 503 asks for."""

        def found() -> Reply | None:
            reply = self.call(method, path, body, **how)
            return None if reply.status == 503 else reply

        return wait_until(found, what=f"an answer to {method} {path}")

    def answers(self) -> bool:
        """Tell whether gateway and processor answer."""
        try:
            return self.call("GET", "/path").status == 200
        except OSError:
            return False

    def session(self, directory: str = "/srv/demo", **body: Any) -> str:
        """Make a session and return its id."""
        return self.patiently("POST", f"/session?directory={quote(directory)}", body).body["id"]

    def prompt(self, session: str, text: str) -> dict[str, Any]:
        """Send a prompt and return the answer when it is whole."""
        path = f"/session/{session}/message"
        reply = self.patiently("POST", path, prompt(text), timeout_s=DEADLINE_S)
        assert reply.status == 200, reply
        return reply.body


def prompt(text: str, **more: Any) -> dict[str, Any]:
    """Return the body of a prompt."""
    return {"parts": [{"type": "text", "text": text}], **more}


def said(message: dict[str, Any], kind: str = "text") -> str:
    """Return the text of a message, or what was thought before it."""
    return "".join(part["text"] for part in message["parts"] if part["type"] == kind)


def texts(messages: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the text of each part of these messages that has one, by its id."""
    parts = (part for message in messages for part in message["parts"])
    return {part["id"]: part["text"] for part in parts if "text" in part}


def lives(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for has ended all the same."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return bool(state := _state_of(pid)) and state != "Z"


def _state_of(pid: int) -> str:
    """Return one letter; empty for a process that is gone."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
        except OSError:
            return ""
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return told.stdout.strip()[:1]


def ended(pids: list[int], deadline_s: float = DEADLINE_S) -> None:
    """Wait until none of these processes lives."""
    wait_until(lambda: not any(map(lives, pids)), deadline_s, f"the end of {pids}")


@contextmanager
def weir_up(
    folder: Path, *flags: str, log: str = "up.log", env: Mapping[str, str] | None = None
) -> Iterator[Up]:
    """Run `weir up` with its state under `folder` for the time of a ``with`` block.

    Raises:
        AssertionError: a process of it outlived it.
    """
    command = ["-m", "deploy.cli", "up", "--port", "0", "--state", str(folder / "state"), *flags]
    with running(*command, log=folder / log, env=env) as process:
        up = Up(process)
        yield up
        left = up.everybody()
    try:
        ended(left)  # the master kills a worker, and does not wait for its end
    except TimeoutError as error:
        raise AssertionError(process.output) from error
