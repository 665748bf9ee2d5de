"""Agents of one's own: their lines come in, their work goes out, as NDJSON (`docs/publishing.md`).

Lines go to the processor in batches, and the next batch is read once the last one is saved. So a
client that sends more than the store takes is slowed down by its connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import falcon
import gevent
import msgspec
from falcon import Request, Response
from msgspec import Struct

from bus.agent_lines import MOST_BATCH_LINES, MOST_LINE_BYTES, TYPES, Handed, Line, Refused, Taken
from bus.commands import AgentLines, AgentList, AgentWork, CommandFailed
from bus.requester import DeadlineExceeded, ProcessorGone, Requester
from gateway.connection import Connection
from gateway.door.own import WIRE
from gateway.door.wire import Wire
from gateway.errors import BadRequest, BoundReached, status_of
from gateway.neighbour import Neighbours
from gateway.peer import has_left
from gateway.resources.answer import answer
from gateway.resources.body import decode_body
from gateway.resources.lines import Lines
from gateway.resources.query import MAX_INTEGER, flag, integer

NDJSON = "application/x-ndjson"
MOST_STREAMS = 256
"""Of agents in a worker: work that goes out, and lines that come in."""
_LEASE_S, _MOST_LEASE_S = 10, 3600
_SILENT_S = 3600.0
_POLL_MS = 2000
_DEADLINE_S = 30.0
_LOOK_S = 1.0
_RETRY_AFTER_S = 1

_encode = msgspec.json.Encoder().encode
_LINE: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_HANDED = msgspec.json.Decoder(Handed)
_TAKEN = msgspec.json.Decoder(Taken)


class Producer(Struct):
    """Who sends lines or waits for work.

    Attributes:
        agent: its name.
        epoch: of its process; None until the processor gives one out.
        seq: number of the next line; None for whatever comes next.
        lease_s: how long it counts as connected once it is not heard any more.
        prompts: it answers the prompts of others.
    """

    agent: str
    epoch: int | None
    seq: int | None
    lease_s: float
    prompts: bool

    @classmethod
    def of(cls, req: Request, agent: str) -> Producer:
        """Return the producer that a request names.

        Raises:
            BadRequest: a parameter is not allowed.
        """
        return cls(
            agent,
            integer(req, "epoch", 1),
            integer(req, "seq", 1),
            integer(req, "lease", 1, _MOST_LEASE_S) or _LEASE_S,
            flag(req, "prompts"),
        )


class AgentNames:
    """``/weir/agents``."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def on_get(self, req: Request, resp: Response) -> None:
        """List the agents that are known."""
        answer(resp, self._requester.call(AgentList()).body)


class Agent:
    """``/weir/agents/{name}``."""

    def __init__(
        self, requester: Requester, patience_s: float, closing: Callable[[], bool]
    ) -> None:
        self._requester = requester
        self._patience_s = patience_s
        self._closing = closing
        self._neighbours = Neighbours()
        self._streams = 0

    def on_head(self, req: Request, resp: Response, name: str) -> None:
        """Answer without a body: a stream would begin a new epoch of the agent."""
        resp.content_type = NDJSON

    def on_get(self, req: Request, resp: Response, name: str) -> None:
        """Hand out work for as long as the client stays; ``?after`` a number, ``?epoch``."""
        producer = Producer.of(req, name)
        after = integer(req, "after", 0, MAX_INTEGER) or 0
        ask = AgentWork(name, producer.epoch, after, 0, producer.lease_s, producer.prompts)
        first = _HANDED.decode(self._requester.call(ask).body)
        wire, connection = self._enter(req)
        wire.become_stream()
        work = _work(self._requester, producer, first, after, lambda: self._is_over(wire))
        self._stream(resp, work, connection)

    def on_post(self, req: Request, resp: Response, name: str) -> None:
        """Take lines; each batch is answered with its errors and an acknowledgement."""
        producer = Producer.of(req, name)
        wire, connection = self._enter(req)
        try:
            body = req.env["wsgi.input"]
            is_live = req.content_length is None
            body.go_on_beside_answer(_SILENT_S if is_live else None)
            lines = Lines(body, wire, MOST_LINE_BYTES, is_live)
            intake = _Intake(self._requester, producer, lines, lambda: self._is_over(wire))
            first = intake.next()
        except BaseException:
            self._leave()
            raise
        if intake.ended:
            self._leave()
            resp.content_type, resp.data = NDJSON, first
        else:
            self._stream(resp, intake.answers(first, connection.hang_up), connection)

    def _is_over(self, wire: Wire) -> bool:
        """Tell whether a client has left, or this worker makes room for another."""
        return self._closing() or has_left(wire.sock)

    def _stream(self, resp: Response, pieces: Iterator[bytes], connection: Connection) -> None:
        resp.content_type = NDJSON
        resp.cache_control = ["no-store", "no-transform"]
        resp.set_header("X-Accel-Buffering", "no")
        resp.stream = _Stream(pieces, connection, self._patience_s, self._leave)

    def _enter(self, req: Request) -> tuple[Wire, Connection]:
        if self._streams >= MOST_STREAMS:
            words = f"{MOST_STREAMS} connections of agents are open in this worker"
            raise BoundReached(503, words, "agents", _RETRY_AFTER_S)
        self._streams += 1
        wire: Wire = req.env[WIRE]
        # The kernel looks after a peer that vanishes without a word.
        return wire, Connection(wire.sock, self._patience_s, self._neighbours)

    def _leave(self) -> None:
        self._streams -= 1


class _Stream:
    """An answer on its way, as WSGI wants it: an iterable of bytes that can be closed."""

    def __init__(
        self,
        pieces: Iterator[bytes],
        connection: Connection,
        patience_s: float,
        on_close: Callable[[], None],
    ) -> None:
        self._pieces = pieces
        self._connection = connection
        self._patience_s = patience_s
        self._on_close = on_close

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            with self._connection.deadline(self._patience_s, "the client takes nothing"):
                yield piece

    def close(self) -> None:
        """End the answer; WSGI servers call this whatever happened."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
        self._on_close()


def _work(
    requester: Requester,
    producer: Producer,
    first: Handed,
    after: int,
    is_over: Callable[[], bool],
) -> Iterator[bytes]:
    """Yield lines of work; where there is none for a while, a ``beat``."""
    epoch, handed = first.epoch, first
    place = {"epoch": epoch, "seq": first.seq, "turns": first.turns}
    yield _line({"type": "ready", "agent": producer.agent, **place})
    while not is_over():
        for work in handed.work:
            after = max(after, work.number)
        yield b"".join(map(_line, handed.work)) or _line({"type": "beat"})
        try:
            ask = AgentWork(
                producer.agent, epoch, after, _POLL_MS, producer.lease_s, producer.prompts
            )
            handed = _HANDED.decode(requester.call(ask, _DEADLINE_S).body)
        except (ProcessorGone, DeadlineExceeded):
            return  # the client comes again, and hears then which of its turns still run
        except CommandFailed as error:
            yield _failed(error)
            return


class _Batch:
    """Lines that go to the processor together.

    Args:
        before: how many lines of the body came before them.

    Attributes:
        lines: decoded; a stand-in for each that is refused here.
        errors: by the place of the line in `lines`.
    """

    def __init__(self, before: int) -> None:
        self.lines: list[Line | Refused] = []
        self.errors: dict[int, dict[str, Any]] = {}
        self._before = before

    def add(self, data: bytes | None) -> None:
        """Decode a line; None stands for a line that is too long."""
        try:
            if data is None:
                raise BadRequest(f"the line is longer than {MOST_LINE_BYTES} bytes", "Body")
            self.lines.append(decode_body(data, _LINE, "the line"))
        except BadRequest as error:
            more = f"; allowed: {', '.join(TYPES)}" if error.field == "type" else ""
            self.errors[len(self.lines)] = {"message": error.message + more}
            self.lines.append(Refused())

    def told(self, upto: int, base: int) -> Iterator[bytes]:
        """Yield the errors of the lines before a place; `base` is the number of the first line."""
        for at in sorted(at for at in self.errors if at < upto):
            where = {"line": self._before + at + 1, **self.errors.pop(at), "seq": base + at}
            yield _line({"type": "error", **where})


class _Intake:
    """The lines of one request on their way to the processor."""

    def __init__(
        self,
        requester: Requester,
        producer: Producer,
        lines: Lines,
        is_over: Callable[[], bool],
    ) -> None:
        self._requester = requester
        self._producer = producer
        self._lines = lines
        self._is_over = is_over
        self._number = 0  # of the last line in this body

    @property
    def ended(self) -> bool:
        """Whether the last line of the body has been taken."""
        return self._lines.ended

    def next(self) -> bytes:
        """Take the next lines; return the answer to them.

        Raises:
            CommandFailed: the processor refuses the producer.
            ProcessorGone: there is no processor.
            DeadlineExceeded: it does not keep up.
        """
        return self._carry(self._batch())

    def answers(self, first: bytes, hang_up: Callable[[], None]) -> Iterator[bytes]:
        """Yield the answer to each batch, the first of which has been taken.

        Args:
            first: the answer to it.
            hang_up: ends the body where it stands.
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
            yield _failed(error)
        except (ProcessorGone, DeadlineExceeded) as error:
            yield _failed(CommandFailed("unavailable", str(error)))
        finally:
            keeper.kill(block=False)

    def _overlapped(self) -> Iterator[bytes]:
        """Read and decode one batch while the processor is at work on the one before it."""
        batch: _Batch | None = self._batch()
        while batch is not None:
            work = gevent.spawn(self._attempt, batch)
            try:
                batch = None if self.ended else self._batch()
            finally:
                work.join()
            answer = work.get()
            if isinstance(answer, Exception):
                raise answer
            yield answer

    def _attempt(self, batch: _Batch) -> bytes | Exception:
        """Return what went wrong: gevent prints what a greenlet raises."""
        try:
            return self._carry(batch)
        except (CommandFailed, ProcessorGone, DeadlineExceeded) as error:
            return error

    def _batch(self) -> _Batch:
        batch = _Batch(self._number)
        for data in self._lines.batch(MOST_BATCH_LINES):
            batch.add(data)
        self._number += len(batch.lines)
        return batch

    def _carry(self, batch: _Batch) -> bytes:
        """Have the processor take a batch, in as many steps as it likes.

        Raises:
            CommandFailed: this worker ends, or its client has left, before all is taken.
        """
        said: list[bytes] = []
        done = 0
        while True:
            taken = self._take(batch.lines[done:])
            base = taken.first - done
            for error in taken.errors:
                batch.errors[error.seq - base] = msgspec.to_builtins(error)
            done = taken.seq - base + 1
            said += batch.told(done, base)
            if done >= len(batch.lines):
                break
            if self._is_over():
                raise CommandFailed("unavailable", "this worker ends; send again what is left")
        said.append(_line({"type": "ack", "epoch": taken.epoch, "seq": taken.seq}))
        return b"".join(said)

    def _take(self, lines: list[Line | Refused]) -> Taken:
        who = self._producer
        command = AgentLines(who.agent, who.epoch, who.seq, lines, who.lease_s)
        taken = _TAKEN.decode(self._requester.call(command, _DEADLINE_S).body)
        who.epoch, who.seq = taken.epoch, taken.seq + 1
        return taken

    def _keep(self, hang_up: Callable[[], None]) -> None:
        """Keep the agent connected while its client says nothing."""
        who = self._producer
        while True:
            gevent.sleep(min(who.lease_s / 3, _LOOK_S))
            if self._is_over():
                hang_up()
                return
            try:
                self._requester.call(
                    AgentLines(who.agent, who.epoch, None, [], who.lease_s), _DEADLINE_S
                )
            except (CommandFailed, ProcessorGone, DeadlineExceeded):
                continue  # the next batch says so to the client


def _line(value: Any) -> bytes:
    return _encode(value) + b"\n"


def _failed(error: CommandFailed) -> bytes:
    return _line({"type": "failed", "status": status_of(error), "message": error.message})


class NotHere:
    """``/weir/agents`` in front of an upstream."""

    def on_get(self, req: Request, resp: Response, name: str = "") -> None:
        """Refuse: the turns are made elsewhere."""
        raise falcon.HTTPNotImplemented(
            description="agents: weir relays an opencode here (--upstream), which runs its own "
            "agents; publish to a weir that is started without --upstream"
        )

    on_post = on_get
