"""Writes to the editor: one queue of messages, and one thread that writes them in order.

Queued chunks of one message are merged if they follow each other, and so are updates of one tool
call: an editor that reads slowly gets fewer and longer messages. While the queue is long, the
thread that reads the event stream waits (`wait_for_room`). The server then notices a slow reader,
and merges events for it. Answers to the editor's requests are queued without a limit.
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
    """The parameters of the notification ``session/update``."""

    sessionId: str
    update: Update


class _UpdateLine(Struct):
    jsonrpc: str
    method: str
    params: _UpdateParams


_encode = msgspec.json.Encoder().encode


class EditorOutlet:
    """Queues messages to the editor, and writes them to a file descriptor, one JSON line each.

    Attributes:
        broken: an event that is set once the editor has closed its end of the pipe.
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
        """Queue a line of JSON that is complete, such as an answer or a request."""
        with self._changed:
            self._queue.append(line)
            self._changed.notify_all()

    def update(self, session_id: str, update: Update) -> None:
        """Queue a `session/update`, merged into the last message of the queue if possible."""
        with self._changed:
            item = _UpdateParams(session_id, update)
            if not self._queue or not _merged(self._queue[-1], item):
                self._queue.append(item)
            self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Wait until fewer than 2,048 messages are queued, or the editor has gone."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) < _ROOM or self.broken.is_set())

    def flush(self, timeout_s: float) -> None:
        """Wait until all queued messages are written, or the editor has gone, or time is up."""
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
    """Merge an update into the last update of the queue; return whether that was possible.

    Both must be about the same message or the same tool call.
    """
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
    """Return two chunks of text as one chunk; None if they cannot be merged."""
    old, new = before.content, after.content
    if before.messageId != after.messageId:
        return None
    if not isinstance(old, TextBlock) or not isinstance(new, TextBlock):
        return None
    if len(old.text) + len(new.text) > _LONGEST_CHUNK:
        return None
    return type(before)(content=TextBlock(old.text + new.text), messageId=before.messageId)


def _newer(before: ToolCallUpdate, after: ToolCallUpdate) -> ToolCallUpdate | None:
    """Return two updates of a tool call as one; None if they are about different calls.

    None too if the status changes, because the editor should see each status.
    """
    if before.toolCallId != after.toolCallId or after.status is not UNSET:
        return None
    changed = {name: value for name, value in structs.asdict(after).items() if value is not UNSET}
    return structs.replace(before, **changed)
