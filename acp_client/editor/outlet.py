"""Writes to the editor: one queue, and one thread that writes it in order.

Consecutive queued chunks of one message are merged, and so are updates of one tool call: an editor
that reads slowly gets fewer and longer messages. While the queue is long, the thread that reads
the stream waits (`wait_for_room`), and the server's own backpressure takes effect. Answers never
wait.
"""

from __future__ import annotations

import os
import threading
from collections import deque

import msgspec
from msgspec import UNSET, Struct, structs

from acp_client.protocol.updates import AgentChunk, TextBlock, ThoughtChunk, ToolCallUpdate, Update

_ROOM = 2048
_LONGEST_CHUNK = 64 * 1024


class _UpdateParams(Struct):
    """The parameters of a ``session/update``."""

    sessionId: str
    update: Update


class _UpdateLine(Struct):
    jsonrpc: str
    method: str
    params: _UpdateParams


_encode = msgspec.json.Encoder().encode


class EditorOutlet:
    """Writes lines to a file descriptor.

    Attributes:
        broken: set when the editor has stopped reading.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._queue: deque[bytes | _UpdateParams] = deque()
        self._changed = threading.Condition()
        self._busy = False
        self.broken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outlet", daemon=True)
        self._thread.start()

    def send(self, line: bytes) -> None:
        """Queue a whole line."""
        with self._changed:
            self._queue.append(line)
            self._changed.notify_all()

    def update(self, session_id: str, update: Update) -> None:
        """Queue an update of a session."""
        with self._changed:
            item = _UpdateParams(session_id, update)
            if not self._queue or not _merged(self._queue[-1], item):
                self._queue.append(item)
            self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Wait until the queue is short enough."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) < _ROOM or self.broken.is_set())

    def flush(self, timeout_s: float) -> None:
        """Wait until everything is written, or the editor has stopped reading."""
        with self._changed:
            self._changed.wait_for(
                lambda: not (self._queue or self._busy) or self.broken.is_set(), timeout_s
            )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                items, self._queue = self._queue, deque()
                self._busy = True
                self._changed.notify_all()
            self._write(b"".join(_line(item) for item in items))
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left and not self.broken.is_set():
            try:
                left = left[os.write(self._fd, left) :]
            except OSError:
                self.broken.set()


def _line(item: bytes | _UpdateParams) -> bytes:
    if isinstance(item, bytes):
        return item
    return _encode(_UpdateLine("2.0", "session/update", item)) + b"\n"


def _merged(last: bytes | _UpdateParams, item: _UpdateParams) -> bool:
    """Merge an update into the update before it, if both are about the same message or call."""
    if not isinstance(last, _UpdateParams) or last.sessionId != item.sessionId:
        return False
    before, after = last.update, item.update
    merged: Update | None = None
    if isinstance(before, AgentChunk | ThoughtChunk) and type(before) is type(after):
        assert isinstance(after, AgentChunk | ThoughtChunk)
        merged = _longer(before, after)
    elif isinstance(before, ToolCallUpdate) and isinstance(after, ToolCallUpdate):
        merged = _newer(before, after)
    if merged is None:
        return False
    last.update = merged
    return True


def _longer(
    before: AgentChunk | ThoughtChunk, after: AgentChunk | ThoughtChunk
) -> AgentChunk | ThoughtChunk | None:
    """Return two chunks as one, None if they cannot be merged."""
    old, new = before.content, after.content
    if before.messageId != after.messageId:
        return None
    if not isinstance(old, TextBlock) or not isinstance(new, TextBlock):
        return None
    if len(old.text) + len(new.text) > _LONGEST_CHUNK:
        return None
    return type(before)(content=TextBlock(old.text + new.text), messageId=before.messageId)


def _newer(before: ToolCallUpdate, after: ToolCallUpdate) -> ToolCallUpdate | None:
    """Return the newer of two updates with what only the older has, None if that is not enough."""
    if before.toolCallId != after.toolCallId or after.status is not UNSET:
        return None
    changed = {name: value for name, value in structs.asdict(after).items() if value is not UNSET}
    return structs.replace(before, **changed)
