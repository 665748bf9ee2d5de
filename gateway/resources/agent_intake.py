"""Sends the lines of an agent's request to the processor.

Lines are sent in batches, and the next batch is sent once the processor has saved the last batch.
So weir reads no faster than the store writes, and TCP slows down an agent that sends faster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import msgspec
from falcon import Request
from msgspec import Struct

from bus.agent_commands import AgentLines
from bus.agent_lines import MOST_BATCH_LINES, MOST_LINE_BYTES, TYPES, Line, RefusedLine, Taken
from bus.answers import CommandFailed
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester
from gateway.errors import BadRequest, status_of
from gateway.monitor.agent_counts import AgentCounts
from gateway.proxy.failures import ClientGone, Refusal
from gateway.resources.body import decode_body
from gateway.resources.lines import RequestLines
from gateway.resources.query import flag, integer

DEADLINE_S = 30.0
"""How long to wait for the answer to a command with lines; the processor may take only some."""
_LEASE_S, _MOST_LEASE_S = 10, 3600
_LOOK_S = 1.0

_encode = msgspec.json.Encoder().encode
_LINE: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_TAKEN = msgspec.json.Decoder(Taken)


class Producer(Struct):
    """An agent that sends lines or waits for work items.

    Attributes:
        agent: the agent's name.
        epoch: the number of this start of the agent; None until the processor assigns it.
        seq: the number of the agent's next line; None: the next free number.
        lease_s: for how many seconds after a request the agent counts as connected.
        prompts: the agent answers prompts of clients.
    """

    agent: str
    epoch: int | None
    seq: int | None
    lease_s: float
    prompts: bool

    @classmethod
    def of(cls, req: Request, agent: str) -> Producer:
        """Return the producer that a request's path and query describe.

        Raises:
            BadRequest: a parameter has a value that is not allowed.
        """
        return cls(
            agent,
            integer(req, "epoch", 1),
            integer(req, "seq", 1),
            integer(req, "lease", 1, _MOST_LEASE_S) or _LEASE_S,
            flag(req, "prompts"),
        )


class _Batch:
    """Lines that are sent to the processor in one command.

    Args:
        before: how many lines of the body came before this batch.

    Attributes:
        lines: the decoded lines; a `RefusedLine` for each line that is too long or malformed.
        errors: the errors of refused lines, by the line's index in `lines`.
        size: the bytes of all lines.
        refused: how many lines are refused, by reason.
    """

    def __init__(self, before: int) -> None:
        self.lines: list[Line | RefusedLine] = []
        self.errors: dict[int, dict[str, Any]] = {}
        self.size = 0
        self.refused: Counter[str] = Counter()
        self._before = before

    def add(self, data: bytes | None) -> None:
        """Decode a line and add it; None stands for a line that is too long."""
        self.size += len(data or b"")
        try:
            if data is None:
                raise BadRequest(f"the line is longer than {MOST_LINE_BYTES} bytes", "Body")
            self.lines.append(decode_body(data, _LINE, "the line"))
        except BadRequest as error:
            self.refused["too_long" if data is None else "malformed"] += 1
            more = f"; allowed: {', '.join(TYPES)}" if error.field == "type" else ""
            self.errors[len(self.lines)] = {"message": error.message + more}
            self.lines.append(RefusedLine())

    def errors_before(self, upto: int, base: int) -> Iterator[bytes]:
        """Yield the errors of the lines before index `upto`; `base` is the first line's `seq`."""
        for at in sorted(at for at in self.errors if at < upto):
            where = {"line": self._before + at + 1, **self.errors.pop(at), "seq": base + at}
            yield as_line({"type": "error", **where})


class AgentIntake:
    """Sends the lines of one request to the processor.

    Attributes:
        unacknowledged: how many bytes of lines were read and are not yet acknowledged.
    """

    def __init__(
        self,
        requester: Requester,
        producer: Producer,
        lines: RequestLines,
        is_over: Callable[[], bool],
        counts: AgentCounts,
    ) -> None:
        self._requester = requester
        self._producer = producer
        self._lines = lines
        self._is_over = is_over
        self._counts = counts
        self.unacknowledged = 0
        counts.taking.add(self)
        self._number = 0  # how many lines of this body were read

    @property
    def ended(self) -> bool:
        """Whether the last line of the body has been sent to the processor."""
        return self._lines.ended

    def next(self) -> bytes:
        """Read and send the next batch; return its answer: errors of lines, an acknowledgement.

        Raises:
            CommandFailed: the processor refuses this agent.
            ProcessorGone: no processor is connected.
            DeadlineExceeded: the processor did not answer in time.
        """
        return self._carry(self._batch())

    def answers(self, first: bytes, hang_up: Callable[[], None]) -> Iterator[bytes]:
        """Yield the answer to each batch; the first batch has been sent already.

        Args:
            first: the answer to the first batch.
            hang_up: stops reading the body, once the client has left.
        """
        keeper = gevent.spawn(self._keep, hang_up)
        try:
            yield first
            if self._lines.is_live:
                while not self.ended:
                    yield self.next()
            else:
                yield from self._overlapped()
        except CommandFailed as error:
            yield as_failure(error)
        except (ProcessorGone, DeadlineExceeded) as error:
            yield as_failure(CommandFailed("unavailable", str(error)))
        except Refusal as error:  # the body broke off, or is not valid HTTP
            yield as_line({"type": "failed", "status": error.status, "message": error.message})
        finally:
            keeper.kill(block=False)

    def _overlapped(self) -> Iterator[bytes]:
        """Read and decode the next batch while the processor works on the present batch.

        The present batch's answer is yielded at once, since the next batch may take long to come.
        """
        batch: _Batch | None = self._batch()
        while batch is not None:
            reading = gevent.spawn(self._read_on)
            try:
                yield self._carry(batch)
                read = reading.get()
            finally:
                reading.kill(block=False)
            if isinstance(read, Exception):
                raise read
            batch = read

    def _read_on(self) -> _Batch | Exception | None:
        """Return the next batch, None at the end, or an error, which the caller raises."""
        try:
            return None if self.ended else self._batch()
        except (ClientGone, Refusal) as error:
            return error

    def _batch(self) -> _Batch:
        batch = _Batch(self._number)
        for data in self._lines.batch(MOST_BATCH_LINES):
            batch.add(data)
        self._number += len(batch.lines)
        self.unacknowledged += batch.size
        return batch

    def _carry(self, batch: _Batch) -> bytes:
        """Send a batch to the processor, and return the answer for the client.

        If the processor takes only some of the lines, the other lines are sent again.

        Raises:
            CommandFailed: the client left before the processor had taken all lines.
        """
        said: list[bytes] = []
        done = 0
        while True:
            taken = self._take(batch.lines[done:])
            base = taken.first - done
            for error in taken.errors:
                batch.errors[error.seq - base] = msgspec.to_builtins(error)
                batch.refused["no_turn" if error.over else "not_possible"] += 1
            done = taken.seq - base + 1
            said += batch.errors_before(done, base)
            if done >= len(batch.lines):
                break
            if self._is_over():
                raise CommandFailed("unavailable", "the client left before all lines were taken")
        self.unacknowledged -= batch.size
        self._counts.lines += len(batch.lines)
        self._counts.refused += batch.refused
        said.append(as_line({"type": "ack", "epoch": taken.epoch, "seq": taken.seq}))
        return b"".join(said)

    def _take(self, lines: list[Line | RefusedLine]) -> Taken:
        who = self._producer
        command = AgentLines(who.agent, who.epoch, who.seq, lines, who.lease_s)
        taken = _TAKEN.decode(self._requester.call(command, DEADLINE_S).body)
        who.epoch, who.seq = taken.epoch, taken.seq + 1
        return taken

    def _keep(self, hang_up: Callable[[], None]) -> None:
        """Let the agent count as connected while it sends no lines, until its client leaves."""
        who = self._producer
        while True:
            gevent.sleep(min(who.lease_s / 3, _LOOK_S))
            if self._is_over():
                hang_up()
                return
            try:
                self._requester.call(
                    AgentLines(who.agent, who.epoch, None, [], who.lease_s), DEADLINE_S
                )
            except (CommandFailed, ProcessorGone, DeadlineExceeded):
                continue  # sending the next batch fails in the same way


def as_line(value: Any) -> bytes:
    """Return a value as a line of NDJSON."""
    return _encode(value) + b"\n"


def as_failure(error: CommandFailed) -> bytes:
    """Return the last line of an answer that ends with an error."""
    return as_line({"type": "failed", "status": status_of(error), "message": error.message})
