"""The asking end of the command channel (Majordomo's client): every request gets an answer.

Every call has a deadline. If the processor is gone, a call fails before its deadline.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import msgspec
from gevent.event import AsyncResult

from bus.answers import Answer, CommandFailed, Done
from bus.commands import Command, IsOpen, NumberedCommand
from bus.malformed import MALFORMED
from bus.transport.link import ClientEnd

log = logging.getLogger("weir.bus")

MAX_DEADLINE_S = 60.0
PATIENCE_S = 10.0
SILENT_S = 3.0
_QUESTIONS = 3
_LIVENESS_CHECK_S = 0.5
_RECONNECT_S = 3.0
_RETRY_S = 0.05


class ProcessorGone(Exception):
    """There is no processor at the other end of the command channel."""


class DeadlineExceeded(Exception):
    """The processor did not answer in time."""


class Requester:
    """Sends commands, many at the same time.

    Args:
        link: to the processor.
        alive: returns whether frames of the processor came lately. It is called while a call waits
            and the processor has answered no request for `SILENT_S`.
        deadline_s: how long a call waits for its answer (at most `MAX_DEADLINE_S`).
        restarts: returns how many restarts of the processor were seen. If the number grows while a
            call waits, the processor is asked whether it still has the request.
    """

    def __init__(
        self,
        link: ClientEnd,
        alive: Callable[[], bool],
        deadline_s: float = 10.0,
        restarts: Callable[[], int] = lambda: 0,
    ) -> None:
        self._link = link
        self._alive = alive
        self._restarts = restarts
        self._deadline_s = min(deadline_s, MAX_DEADLINE_S)
        self._answered_at = time.monotonic()  # as if just now: the first answer may take long
        self._ids = itertools.count(1)
        self._waiting: dict[int, AsyncResult[Answer]] = {}
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Answer).decode

    def call(self, command: Command, deadline_s: float | None = None) -> Done:
        """Send `command` and wait for its answer.

        Raises:
            CommandFailed: the processor refused the command.
            ProcessorGone: there is no processor, or it ended meanwhile.
            DeadlineExceeded: no answer came within the deadline.
        """
        with self._expected(command) as (request, result):
            self._send(request)
            left_s = min(deadline_s or self._deadline_s, MAX_DEADLINE_S)
            return _done(self._wait(request, result, left_s))

    def insist(self, command: Command) -> Done:
        """Send a command that may be repeated; wait longer, since a busy processor answers late.

        Heartbeats are ignored here, since this may be the greenlet that receives them. The command
        is sent again after a while: a restarted processor has lost it, and after a restart the two
        sockets do not reconnect at the same moment.

        Raises:
            CommandFailed: the processor refused the command.
            ProcessorGone: there is no processor.
            DeadlineExceeded: no answer came within `PATIENCE_S`.
        """
        with self._expected(command) as (request, result):
            for _ in range(_QUESTIONS):
                self._send_soon(request)
                if (answer := result.wait(timeout=PATIENCE_S / _QUESTIONS)) is not None:
                    return _done(answer)
        raise DeadlineExceeded(f"no answer from the processor within {PATIENCE_S:g} s")

    def run(self) -> None:
        """Receive answers for ever, in a greenlet of its own."""
        while True:
            data = b"".join(self._link.receive())
            try:
                answer = self._decode(data)
            except MALFORMED as error:
                log.warning(
                    "a malformed answer of %d bytes from the processor was ignored, so the "
                    "request will time out: %s",
                    len(data),
                    error,
                )
                continue
            self._answered_at = time.monotonic()
            if (waiting := self._waiting.get(answer.id)) is not None:
                waiting.set(answer)

    @contextmanager
    def _expected(self, command: Command) -> Iterator[tuple[NumberedCommand, AsyncResult[Answer]]]:
        """Number a command, and accept its answer until the end of the block."""
        request = NumberedCommand(next(self._ids), command)
        result: AsyncResult[Answer] = AsyncResult()
        self._waiting[request.id] = result
        try:
            yield request, result
        finally:
            del self._waiting[request.id]

    def _send_soon(self, request: NumberedCommand) -> None:
        until = time.monotonic() + _RECONNECT_S
        while True:
            try:
                return self._send(request)
            except ProcessorGone:
                if time.monotonic() > until:
                    raise
                gevent.sleep(_RETRY_S)

    def _send(self, request: NumberedCommand) -> None:
        if not self._link.send(self._encode(request)):
            raise ProcessorGone("no processor is connected")

    def _wait(
        self, request: NumberedCommand, result: AsyncResult[Answer], deadline_s: float
    ) -> Answer:
        until, restarts = time.monotonic() + deadline_s, self._restarts()
        while (left_s := until - time.monotonic()) > 0:
            if self._restarts() != restarts:
                restarts = self._restarts()
                self._check_open(request, result, left_s)
                continue
            answer = result.wait(timeout=min(left_s, _LIVENESS_CHECK_S))
            if answer is not None:
                return answer
            if not self._alive() and time.monotonic() - self._answered_at > SILENT_S:
                raise ProcessorGone("the processor no longer answers")
        raise DeadlineExceeded(f"no answer from the processor within {deadline_s:g} s")

    def _check_open(
        self, request: NumberedCommand, result: AsyncResult[Answer], deadline_s: float
    ) -> None:
        """Ask a restarted processor whether it has a request.

        The channel keeps the order of messages. So the request has either arrived before this
        question or was lost in the restart. If the request was answered, its answer arrives before
        the answer to this question.
        """
        is_open = self.call(IsOpen(request.id), deadline_s).body == b"true"
        if not is_open and not result.ready():
            raise ProcessorGone("the processor was restarted before it answered")


def _done(answer: Answer) -> Done:
    if isinstance(answer, Done):
        return answer
    raise CommandFailed.of(answer)
