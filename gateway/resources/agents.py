"""Routes for the user's own agents, which send lines and receive work items as NDJSON.

`docs/publishing.md` describes the protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import falcon
import msgspec
from falcon import Request, Response

from bus.agent_commands import AgentList, AgentWork
from bus.agent_lines import MOST_LINE_BYTES, Handed
from bus.answers import CommandFailed
from bus.transport.requester import DeadlineExceeded, ProcessorGone, Requester
from gateway.door.own import WIRE
from gateway.door.wire import Wire
from gateway.errors import BadRequest, BoundReached
from gateway.monitor.agent_counts import AgentCounts
from gateway.proxy.failures import ClientGone
from gateway.resources.agent_intake import DEADLINE_S, AgentIntake, Producer, as_failure, as_line
from gateway.resources.answer import answer
from gateway.resources.lines import RequestLines
from gateway.resources.query import MAX_INTEGER, integer
from gateway.streams.connection import StreamConnection
from gateway.streams.neighbour import Neighbours
from gateway.streams.peer_watch import has_left

NDJSON = "application/x-ndjson"
MOST_STREAMS = 256
"""How many connections of agents a worker serves, for work items and for lines together."""
_SILENT_S = 3600.0
_POLL_MS = 1000
_RETRY_AFTER_S = 1

_HANDED = msgspec.json.Decoder(Handed)


class AgentNames:
    """``/weir/agents``: the list of all agents."""

    def __init__(self, requester: Requester) -> None:
        self._requester = requester

    def on_get(self, req: Request, resp: Response) -> None:
        """Answer with all agents that have ever connected."""
        answer(resp, self._requester.call(AgentList()).body)


class AgentRoute:
    """``/weir/agents/{name}``: an agent receives its work items (GET) and sends lines (POST)."""

    def __init__(self, requester: Requester, patience_s: float, counts: AgentCounts) -> None:
        self._requester = requester
        self._patience_s = patience_s
        self._counts = counts
        self._neighbours = Neighbours()
        self._streams = 0
        self._open: set[StreamConnection] = set()

    def let_go(self) -> None:
        """Reset all connections of agents, since the worker stops; the agents connect again."""
        for connection in list(self._open):
            connection.reset("the worker stops")

    def on_head(self, req: Request, resp: Response, name: str) -> None:
        """Answer with headers only, and without a command, which would begin a new epoch."""
        resp.content_type = NDJSON

    def on_get(self, req: Request, resp: Response, name: str) -> None:
        """Send work items after number ``?after``, until the client leaves."""
        producer = Producer.of(req, name)
        after = integer(req, "after", 0, MAX_INTEGER) or 0
        ask = AgentWork(name, producer.epoch, after, 0, producer.lease_s, producer.prompts)
        first = _HANDED.decode(self._requester.call(ask).body)
        wire, connection = self._enter(req)
        wire.become_stream()
        work = _work(self._requester, producer, first, after, lambda: has_left(wire.sock))
        self._stream(resp, work, connection, self._leave)

    def on_post(self, req: Request, resp: Response, name: str) -> None:
        """Take lines; the answer has the errors and an acknowledgement of each batch of lines."""
        producer = Producer.of(req, name)
        wire, connection = self._enter(req)
        body, is_live = req.env["wsgi.input"], req.content_length is None
        lines = RequestLines(body, wire, MOST_LINE_BYTES, is_live)
        is_over = partial(has_left, wire.sock)
        intake = AgentIntake(self._requester, producer, lines, is_over, self._counts)

        def leave() -> None:
            self._counts.taking.discard(intake)
            self._leave()

        try:
            body.go_on_beside_answer(_SILENT_S if is_live else None)
            first = intake.next()
        except ClientGone as error:
            leave()
            raise BadRequest(f"the body could not be read: {error}", "Body") from error
        except BaseException:
            leave()
            raise
        if intake.ended:
            leave()
            resp.content_type, resp.data = NDJSON, first
        else:
            self._stream(resp, intake.answers(first, connection.hang_up), connection, leave)

    def _stream(
        self,
        resp: Response,
        pieces: Iterator[bytes],
        connection: StreamConnection,
        leave: Callable[[], None],
    ) -> None:
        resp.content_type = NDJSON
        resp.cache_control = ["no-store", "no-transform"]
        resp.set_header("X-Accel-Buffering", "no")
        self._open.add(connection)

        def on_close() -> None:
            self._open.discard(connection)
            leave()

        resp.stream = _Stream(pieces, connection, self._patience_s, on_close)

    def _enter(self, req: Request) -> tuple[Wire, StreamConnection]:
        if self._streams >= MOST_STREAMS:
            words = f"{MOST_STREAMS} connections of agents are open in this worker"
            raise BoundReached(503, words, "agents", _RETRY_AFTER_S)
        self._streams += 1
        wire: Wire = req.env[WIRE]
        # `StreamConnection` sets TCP keepalive, so that a client that has vanished is noticed.
        return wire, StreamConnection(wire.sock, self._patience_s, self._neighbours)

    def _leave(self) -> None:
        self._streams -= 1


class _Stream:
    """The body of an answer for WSGI: an iterable of bytes with `close`."""

    def __init__(
        self,
        pieces: Iterator[bytes],
        connection: StreamConnection,
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
        """Release what the answer has used; a WSGI server always calls this at the end."""
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
    """Yield lines with work items, and a ``beat`` after `_POLL_MS` without a work item."""
    epoch, handed = first.epoch, first
    place = {"epoch": epoch, "seq": first.seq, "turns": first.turns}
    yield as_line({"type": "ready", "agent": producer.agent, **place})
    while not is_over():
        for work in handed.work:
            after = max(after, work.number)
        yield b"".join(map(as_line, handed.work)) or as_line({"type": "beat"})
        try:
            ask = AgentWork(
                producer.agent, epoch, after, _POLL_MS, producer.lease_s, producer.prompts
            )
            handed = _HANDED.decode(requester.call(ask, DEADLINE_S).body)
        except (ProcessorGone, DeadlineExceeded):
            return  # the client connects again, and gets the list of its open turns
        except CommandFailed as error:
            yield as_failure(error)
            return


class NotHere:
    """``/weir/agents`` in relay mode, where weir has no agents."""

    def on_get(self, req: Request, resp: Response, name: str = "") -> None:
        """Refuse with 501: in relay mode the upstream runs all turns."""
        raise falcon.HTTPNotImplemented(
            description="agents: weir relays an opencode here (--upstream), which runs its own "
            "agents; publish to a weir that is started without --upstream"
        )

    on_post = on_get
