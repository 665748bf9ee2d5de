"""Sends the output of an agent to weir, as JSON lines (NDJSON).

Lines are numbered and sent in batches. A batch is sent again until weir has saved the batch; the
numbers let weir skip the lines that weir already has. A thread sends all lines that came while the
last batch was on its way, so many small calls cost as little as a few large calls. At most
`MOST_WAITING` bytes may wait to be saved; then a call that adds output blocks.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from bus.agent_lines import Line, ReasoningLine, TextLine
from weir.errors import Fenced, Refused, Unreachable, WeirError
from weir.weir_api import TIMEOUT_S, Passing, WeirApi, failure

MOST_WAITING = 1024 * 1024
_GATHERED = 16 * 1024
"""Deltas that wait to be sent are joined into one line of at most so many characters."""
_PATIENCE_S = 60.0
_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0

_encode = msgspec.json.Encoder().encode


class Sender(Protocol):
    """The turn that a line belongs to; the outbox reports to it that weir refused the line."""

    def refused(self, message: str, over: bool) -> None:
        """Handle weir's error for a line; `over`: weir refuses all further lines of the turn."""


class _Waiting(Struct):
    seq: int
    line: Line
    size: int
    sender: Sender


class Outbox:
    """Sends the lines of output of one agent; its methods may be called from any thread.

    Args:
        server: the connection settings of weir.
        path: the path of the agent's route, ``/weir/agents/NAME``.
        epoch: the number that weir has given to this process. A later process with the same
            agent's name gets a greater number, and weir then refuses the lines of this process.
        on_failure: called once, when no more lines can be sent, with the reason.
    """

    def __init__(
        self,
        server: WeirApi,
        path: str,
        epoch: int,
        on_failure: Callable[[WeirError], None],
    ) -> None:
        self._server = server
        self._path = f"{path}?epoch={epoch}"
        self._on_failure = on_failure
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        # The first `_sending` lines of `_waiting` are in a request now, and must not be changed.
        self._sending = 0
        self._size = 0
        self._seq = self._saved = 0
        self._failure: WeirError | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="weir-outbox", daemon=True)
        self._thread.start()

    def put(self, line: Line, size: int, sender: Sender) -> int:
        """Queue a line for sending, and return its number, which `wait` takes.

        Blocks while `MOST_WAITING` bytes wait to be saved.

        Args:
            line: the line to send.
            size: the approximate size of the line in bytes.
            sender: the turn of the line; learns whether weir refuses the line.

        Raises:
            WeirError: no more lines can be sent; the message says why.
        """
        with self._changed:
            while self._size >= MOST_WAITING and self._failure is None:
                self._changed.wait()
            self._check()
            self._size += size
            if not self._gathered(line, size):
                self._seq += 1
                self._waiting.append(_Waiting(self._seq, line, size, sender))
                self._changed.notify_all()
            return self._seq

    def wait(self, seq: int, timeout_s: float | None = None) -> None:
        """Wait until weir has saved all lines up to number `seq`.

        Raises:
            Unreachable: weir has not saved these lines within `timeout_s`.
            WeirError: no more lines can be sent; the message says why.
        """
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._saved >= seq or self._failure is not None, timeout_s
            )
            if self._saved < seq:
                self._check()
            if not done:
                raise Unreachable(
                    f"{self._server.url}: weir has not saved all output within {timeout_s:g} s; "
                    "it is still being sent"
                )

    @property
    def seq(self) -> int:
        """The number of the newest line, whether it is sent yet or not."""
        return self._seq

    def fail(self, error: WeirError) -> None:
        """Send no more lines; `put` and `wait` raise `error` from now on."""
        with self._changed:
            if self._failure is not None:
                return
            self._failure = error
            self._changed.notify_all()
        self._on_failure(error)

    def close(self, timeout_s: float) -> int:
        """Send the lines that wait, for at most `timeout_s`; return how many are not saved."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return len(self._waiting)

    def _check(self) -> None:
        if self._failure is not None:
            raise type(self._failure)(*self._failure.args)

    def _gathered(self, line: Line, size: int) -> bool:
        """Append a delta to the newest line if possible; return whether it was appended.

        The newest line must not be in a request yet, must have the same kind and turn, and must
        not become too long.
        """
        if len(self._waiting) <= self._sending:
            return False
        last = self._waiting[-1]
        before = last.line
        if not isinstance(line, TextLine | ReasoningLine) or type(before) is not type(line):
            return False
        if before.turn != line.turn or last.size + size > _GATHERED:
            return False
        assert isinstance(before, TextLine | ReasoningLine)
        assert isinstance(before.text, list)
        assert isinstance(line.text, list)
        before.text += line.text
        last.size += size
        return True

    def _run(self) -> None:
        connection = self._server.connection(TIMEOUT_S)
        pause_s, until = _PAUSE_S, math.inf
        while (batch := self._next()) is not None:
            data = b"".join(_encode(one.line) + b"\n" for one in batch)
            try:
                path = f"{self._path}&seq={batch[0].seq}"
                for said in self._server.lines(connection, "POST", path, data):
                    self._take(json.loads(said), batch[0].seq)
                    pause_s, until = _PAUSE_S, math.inf
            except Passing as error:
                until = min(until, time.monotonic() + _PATIENCE_S)
                if time.monotonic() > until:
                    self.fail(
                        Unreachable(
                            f"{self._server.url}: weir has not saved the agent's output for "
                            f"{_PATIENCE_S:g} s: {error}"
                        )
                    )
                    break
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            except (Refused, Fenced) as error:
                self.fail(error)
                break
            except Exception as error:
                self.fail(
                    WeirError(
                        f"{self._server.url}: no more output of this agent is sent, because "
                        f"sending has failed with {error!r}; restart the agent"
                    )
                )
                raise
        connection.close()

    def _next(self) -> list[_Waiting] | None:
        """Wait for lines, and return them as a batch; None once there is nothing more to send."""
        with self._changed:
            self._sending = 0
            while not self._waiting and not self._closing and self._failure is None:
                self._changed.wait()
            if not self._waiting or self._failure is not None:
                return None
            batch = list(self._waiting)
            self._sending = len(batch)
            return batch

    def _take(self, said: dict[str, Any], first: int) -> None:
        """Handle one line of weir's answer to the batch that begins with line number `first`."""
        if said["type"] == "ack":
            self._acknowledged(said["seq"])
        elif said["type"] == "error":
            self._refused(said, first)
        elif said["type"] == "failed":
            raise failure(said["status"], said["message"])

    def _refused(self, said: dict[str, Any], first: int) -> None:
        with self._changed:
            at = said["seq"] - (self._waiting[0].seq if self._waiting else first)
            sender = self._waiting[at].sender if 0 <= at < len(self._waiting) else None
        if sender is not None:
            sender.refused(said["message"], said.get("over", False))

    def _acknowledged(self, seq: int) -> None:
        with self._changed:
            while self._waiting and self._waiting[0].seq <= seq:
                self._size -= self._waiting.popleft().size
                self._sending = max(0, self._sending - 1)
            self._saved = max(self._saved, seq)
            self._changed.notify_all()
