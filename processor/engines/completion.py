"""Reads a streamed chat completion: bytes in, chunks out; the caller owns the socket.

Rules:

1. An answer is a stream of frames (`framing`), each of which `chunk` reads.
2. An answer with a finish reason is complete. Errors and unreadable frames after the finish
   reason are ignored; but if the answer has no output, a later error is reported.
3. A frame before the finish reason that cannot be read breaks the answer, since text may be
   missing there: the output before the frame is kept, and the turn ends with an error.
4. An answer without a finish reason is complete if the provider marks its end (``[DONE]``), and
   has sent nothing that is not part of the answer.
5. An answer that calls tools is also complete without a finish reason, if the arguments of each
   call are complete JSON. If no tool was offered, a call makes the answer fail at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bus.sse import EventTooLarge
from processor.engines import words
from processor.engines.calls import CallPiece, CallReader, TooManyCalls
from processor.engines.characters import Characters
from processor.engines.chunk import Piece, Spoken, UnreadableChunk
from processor.engines.dialect import ChunkReader, CompletionChunks
from processor.engines.engine import (
    Chunk,
    Finish,
    RedactedThought,
    Text,
    ThoughtSignature,
    TokenUsage,
)
from processor.engines.framing import DONE, ModelFrame, ModelFraming

_MIB = 1024 * 1024
MAX_ANSWER_BYTES = 16 * _MIB
_SHOWN = 120
_REASONS = {
    "tool_calls": "tool-calls",
    "function_call": "tool-calls",
    "content_filter": "content-filter",
    "safety": "content-filter",
    "max_tokens": "length",
    "tool_use": "tool-calls",
    "refusal": "content-filter",
    "model_context_window_exceeded": "length",
    "pause_turn": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
}
_KNOWN_REASONS = frozenset({"stop", "length", *_REASONS.values()})


class BadStream(ValueError):
    """The provider broke the format, gave up, or stopped too early; the message gives the details.

    Attributes:
        passes: the same request may be answered later.
    """

    def __init__(self, message: str, passes: bool = False) -> None:
        super().__init__(message)
        self.passes = passes


class CompletionReader:
    """Reads one answer.

    Args:
        most_bytes: of all text, thoughts and calls; a longer answer is broken off there.
        tools: whether tools were offered.
        chunks: reads the chunks; None: those of a chat completion.

    Attributes:
        done: no more output follows, whether the answer is complete or not.
        broken: why the answer cannot be continued, None if it can; earlier output is valid.
        words: how many chunks had output.
        counted: the token counts have come since the finish reason.
    """

    def __init__(
        self,
        most_bytes: int = MAX_ANSWER_BYTES,
        tools: bool = False,
        chunks: ChunkReader | None = None,
    ) -> None:
        self.done = False
        self.broken: BadStream | None = None
        self.words = 0
        self.counted = False
        self._most = most_bytes
        self._left = most_bytes
        self._framing = ModelFraming()
        self._characters = Characters()
        self._kind: type[Piece] = Text
        self._chunks: list[Chunk] = []
        self._reason: str | None = None
        self._whole = False  # the provider has marked the end, without a finish reason
        self._seen = self._said = self._refused = False
        self._wholes = 0  # frames that hold a message instead of a delta
        self._tools = tools
        self._read: ChunkReader = chunks or CompletionChunks()
        self._calls = CallReader()
        self._notice: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the answer is complete, whatever happens to the connection."""
        return self._reason is not None or self._whole

    @property
    def calls_tools(self) -> bool:
        """Whether the model calls tools."""
        return bool(self._calls.names)

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the next bytes, and return the chunks that they complete."""
        self._take(self._framing.feed(data))
        return self._said_since()

    def pause(self) -> list[Chunk]:
        """Return the chunk in a last line without a line end, since no bytes come for now."""
        self._take(self._framing.pause())
        return self._said_since()

    def close(self) -> list[Chunk]:
        """Return the chunks in the last lines, since no more bytes come."""
        self._take(self._framing.close())
        self._whole = self._whole or self._wholes == 1 or self._calls.are_whole
        self.done = True
        return self.flush()

    def flush(self) -> list[Chunk]:
        """Return a mark for the last character if it is incomplete."""
        if text := self._characters.flush():
            self._chunks.append(self._kind(text))
        return self._said_since()

    def end(self) -> list[Chunk]:
        """Return the calls, and why the model stopped; to be asked when nothing more comes.

        Raises:
            BadStream: the answer is incomplete, or there is none.
        """
        beside, names = self.beside(), self._calls.names
        if not self.finished or (self._reason is None and (beside or not self._said)):
            state = "was cut before its end" if self._seen else "was empty"
            raise BadStream(f"the answer of the provider {state}{beside}")
        reason = (self._reason or "").lower()
        reason = _REASONS.get(reason, reason)
        if not self._tools and (names or (reason == "tool-calls" and not self._said)):
            name = f"the tool {names[0]!r}" if any(names[:1]) else "a tool"
            raise BadStream(f"the model called {name}, but weir offers it no tools")
        if names:
            return [*self._calls.close(), Finish("tool-calls")]
        if self._refused:
            return [Finish("content-filter")]
        return [Finish(reason if reason in _KNOWN_REASONS else "unknown")]

    def silence(self, seconds: float) -> BadStream:
        """Return the error for an answer that has stopped."""
        silent = f"the provider said nothing for {seconds:g} s (--model-read-timeout)"
        return BadStream(f"{silent}{self.beside()}")

    def beside(self) -> str:
        """Return what the provider sent beside the answer, since it may explain an error."""
        said = self._notice or words.in_body(self._framing.stray)
        return f": {said}" if said else ""

    def _take(self, frames: Iterator[ModelFrame | list[Piece]]) -> None:
        try:
            for frame in frames:
                if self.done:
                    return
                if isinstance(frame, ModelFrame):
                    self._frame(frame)
                else:
                    self._seen = True
                    if frame:
                        self._notice = None
                    self._say_all(frame)
        except BadStream as error:
            self._break(error)
        except EventTooLarge as error:
            self._break(BadStream(str(error)))
            self.done = True

    def _frame(self, frame: ModelFrame) -> None:
        try:
            if frame.is_error:
                said = words.in_value(frame.value) or self._notice
                _give_up(said, self._read.passes(frame.value))
            if frame.garbled:
                raise UnreadableChunk
            self._value(frame.value)
        except (UnreadableChunk, RecursionError):
            shown = str(frame.value)[:_SHOWN]
            self._break(
                BadStream(f"the provider sent something that is not a completion: {shown!r}")
            )
        except BadStream as error:
            self._break(error)

    def _value(self, value: Any) -> None:
        if isinstance(value, dict):
            self._spoken(self._read.read(value))
        elif isinstance(value, list):
            for one in value:
                self._value(one)
        elif value == DONE:
            self.done = self._whole = True
        elif value:
            raise UnreadableChunk

    def _spoken(self, spoken: Spoken) -> None:
        self._seen = True
        before = self.words, self._reason
        self._pieces(spoken)
        self._called(spoken)
        self._refused = self._refused or spoken.refused
        if spoken.error is not None:
            _give_up(spoken.error, spoken.passes)
        if spoken.signature:
            self._say(self._characters.flush())
            self._chunks.append(ThoughtSignature(spoken.signature))
        if spoken.redacted:
            self._say(self._characters.flush())
            self._spend(len(spoken.redacted))
            self.words += 1
            self._chunks.append(RedactedThought(spoken.redacted))
        self._reason = spoken.finish or self._reason
        if spoken.usage is not None:
            self.counted = self.finished
            self._chunks.append(TokenUsage(spoken.usage))
        if spoken.ends:
            self.done = self._whole = True
        quiet = before == (self.words, self._reason)
        self._notice = spoken.notice or self._notice if quiet else None

    def _pieces(self, spoken: Spoken) -> None:
        pieces = spoken.pieces
        if not pieces and self._reason is None and (self._wholes or not self._said):
            pieces = spoken.whole
            self._wholes += bool(pieces)
        self._say_all(pieces)

    def _called(self, spoken: Spoken) -> None:
        pieces = spoken.calls
        if not pieces and self._reason is None and not self._calls.names:
            pieces = spoken.whole_calls
        if not pieces:
            return
        self._said = True
        try:
            begun = self._calls.take(pieces)
        except TooManyCalls as error:
            raise BadStream(str(error)) from None
        # Arguments of a tool that was not offered are no output: they could go on for ever.
        self.words += self._tools or any(piece.name for piece in pieces)
        self._spend(sum(_size(piece) for piece in pieces))
        if self._tools and begun:
            self._say(self._characters.flush())
            self._chunks += begun

    def _say_all(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            self.words += 1
            if type(piece) is not self._kind:
                self._say(self._characters.flush())
                self._kind = type(piece)
            text = piece.text
            if text.isascii() and not self._characters.waits and len(text) <= self._left:
                self._left -= len(text)
                self._said = True
                self._chunks.append(piece)
            else:
                self._say(self._characters.take(text))

    def _say(self, text: str) -> None:
        if not text:
            return
        size = len(text) if text.isascii() else len(text.encode())
        kept = text if size <= self._left else text.encode()[: self._left].decode(errors="ignore")
        if kept:
            self._said = True
            self._chunks.append(self._kind(kept))
        self._spend(size)

    def _spend(self, size: int) -> None:
        """Count bytes of the answer.

        Raises:
            BadStream: the answer is longer than allowed.
        """
        self._left -= size
        if self._left < 0:
            raise BadStream(
                f"the answer is longer than {self._most / _MIB:g} MiB (--model-answer-limit)"
            )

    def _said_since(self) -> list[Chunk]:
        chunks, self._chunks = self._chunks, []
        return chunks

    def _break(self, error: BadStream) -> None:
        """Note that the answer is broken, unless it is already complete."""
        if self._reason is None or not self._said or self._left < 0:
            self.broken = error
            self.done = True


def _size(piece: CallPiece) -> int:
    return len(piece.arguments) + len(piece.name)


def _give_up(said: str | None, passes: bool = False) -> None:
    raise BadStream(
        f"the provider ended the answer with an error: {said or 'no reason given'}", passes
    )
