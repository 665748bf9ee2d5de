"""An engine's words put into a turn, in a greenlet that can be stopped at any point."""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Iterable
from typing import cast

import gevent

from bus.events.message import Failure, UserMessage
from bus.events.part import Tokens
from processor.conversation import chat
from processor.engines.engine import (
    Chunk,
    Engine,
    EngineRequest,
    Finish,
    ModelError,
    Reasoning,
    Retry,
    Text,
    Usage,
)
from processor.store import history
from processor.store.database import Database
from processor.turn import Turn

log = logging.getLogger("weir.processor")

# A provider that never makes us wait must not keep the loop from everybody else.
SLICE_S = 0.002


class Answer:
    """One turn that runs from the moment it is made."""

    def __init__(
        self, turn: Turn, prompt: UserMessage, engine: Engine, database: Database
    ) -> None:
        self._turn = turn
        self._prompt = prompt
        self._engine = engine
        self._database = database
        self._tokens = Tokens.none()
        self._reason = "unknown"
        self._failure: Failure | None = None
        turn.begin()
        self._work = gevent.spawn(self._run)

    def abort(self) -> None:
        """Stop at once, wherever it is; `conclude` then says so."""
        self._work.kill(block=False)

    def conclude(self) -> None:
        """Wait until the engine is done or stopped, and end the turn accordingly."""
        self._work.join()
        if isinstance(self._work.value, gevent.GreenletExit):
            self._turn.abort()
        elif self._failure is not None:
            self._turn.fail(self._failure)
        else:
            self._turn.finish(self._reason, self._tokens)

    def _run(self) -> None:
        try:
            self._stream()
        except ModelError as error:
            log.warning("session %s: %s", self._prompt.sessionID, error)
            self._failure = error.failure
        except Exception:
            log.exception("session %s: the turn failed", self._prompt.sessionID)
            message = "the processor failed; its log says why"
            self._failure = Failure("UnknownError", {"message": message})

    def _stream(self) -> None:
        said = self._database.call(history.upto, self._prompt.sessionID, self._prompt.id)
        request = EngineRequest(self._prompt.model.modelID, chat(said))
        slice_end = time.monotonic() + SLICE_S
        with contextlib.closing(self._engine.stream(request)) as stream:
            for chunks in stream:
                self._say(chunks)
                # A store that does not keep up holds back the model, not the memory.
                self._turn.wait_until_told()
                if time.monotonic() >= slice_end:
                    gevent.sleep(0)
                    slice_end = time.monotonic() + SLICE_S

    def _say(self, chunks: list[Chunk]) -> None:
        for kind, run in itertools.groupby(chunks, type):
            if kind is Text:
                self._turn.text(*[chunk.text for chunk in cast(Iterable[Text], run)])
            elif kind is Reasoning:
                self._turn.reasoning(*[chunk.text for chunk in cast(Iterable[Reasoning], run)])
            else:
                for chunk in run:
                    self._note(chunk)

    def _note(self, chunk: Chunk) -> None:
        if isinstance(chunk, Retry):
            self._turn.retry(chunk.attempt, chunk.message, chunk.next_ms)
        elif isinstance(chunk, Usage):
            self._tokens = chunk.tokens
        elif isinstance(chunk, Finish):
            self._reason = chunk.reason
