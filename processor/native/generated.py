"""Puts an engine's output into a turn, in a greenlet that can be stopped at any point."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterable
from typing import Any

import gevent

from bus.events.message import Failure, UserMessage
from bus.process.fairness import TURN_SLICE_S, TimeSlice
from processor.engines.engine import (
    Chunk,
    Engine,
    EngineRequest,
    Finish,
    ModelError,
    ReasoningPiece,
    RetryNotice,
    Text,
    TokenUsage,
)
from processor.native.answer import Answer
from processor.native.bounds import TURN_MEMORY
from processor.native.conversation import chat
from processor.native.room import MemoryRoom
from processor.native.turn import Turn
from processor.store import history
from processor.store.database import Database
from processor.store.failures import StoreFailed

log = logging.getLogger("weir.processor")


class Generated(Answer):
    """An answer of a model. After the turn's end, the engine may still wait for token counts."""

    def __init__(
        self, turn: Turn, prompt: UserMessage, engine: Engine, database: Database, room: MemoryRoom
    ) -> None:
        super().__init__(turn)
        self._prompt = prompt
        self._engine = engine
        self._database = database
        self._room = room
        self._held = contextlib.ExitStack()  # the conversation's memory
        turn.begin()
        self._work = gevent.spawn(self._run)
        self._work.rawlink(lambda _: self._ending.set())

    def abort(self) -> None:
        """Stop at once, whatever the engine is doing."""
        self._work.kill(block=False)

    def _run(self) -> None:
        try:
            self._read_and_stream()
        except ModelError as error:
            self._fail(str(error), error.failure)
        except StoreFailed as error:
            message = f"the store failed: {error}"
            self._fail(message, Failure("UnknownError", {"message": message}))
        except Exception:
            log.exception("session %s: the turn failed", self._prompt.sessionID)
            message = "the processor failed; its log says why"
            self._failure = Failure("UnknownError", {"message": message})

    def _fail(self, message: str, failure: Failure) -> None:
        """Note why the turn failed, unless its answer is already complete."""
        if self._reason is None:
            log.warning("session %s: %s", self._prompt.sessionID, message)
            self._failure = failure

    def _read_and_stream(self) -> None:
        """Read the conversation once there is memory for it, and stream the answer."""
        where = self._prompt.sessionID, self._prompt.id
        size = self._database.call(history.size_upto, *where)
        if size > self._room.size:
            raise _too_long(size, self._room.size)
        with self._held:
            self._held.enter_context(self._room.of(size))
            said = chat(self._database.call(history.upto, *where))
            self._stream(EngineRequest(self._prompt.model.modelID, said))

    def _stream(self, request: EngineRequest) -> None:
        hold = TimeSlice(TURN_SLICE_S)
        with contextlib.closing(self._engine.stream(request)) as stream:
            for chunks in stream:
                self._say(chunks)
                # If the store does not keep up, the model waits, so that memory does not grow.
                self.turn.wait_until_published()
                hold.pass_on_if_over()

    def _say(self, chunks: list[Chunk]) -> None:
        for kind, run in itertools.groupby(chunks, type):
            if kind is Text:
                self.turn.text(*_texts(run))
            elif kind is ReasoningPiece:
                self.turn.reasoning(*_texts(run))
            else:
                for chunk in run:
                    self._note(chunk)

    def _note(self, chunk: Chunk) -> None:
        if isinstance(chunk, RetryNotice):
            self.turn.retry(chunk.attempt, chunk.message, chunk.next_ms)
        elif isinstance(chunk, Finish):
            self._reason = chunk.reason
            self._held.close()
            self._ending.set()
        elif isinstance(chunk, TokenUsage):
            if self._reason is not None:
                self._concluded.wait()
                self.turn.recount(chunk.tokens)
            self.tokens = chunk.tokens


def _too_long(size: int, most: int) -> ModelError:
    message = (
        f"the conversation is {size} bytes long; --{TURN_MEMORY.name} allows {most}: "
        "begin another session"
    )
    return ModelError(Failure("ContextOverflowError", {"message": message}))


def _texts(chunks: Iterable[Any]) -> list[str]:
    return [chunk.text for chunk in chunks]
