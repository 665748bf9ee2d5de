"""Writes ``watchdog.ndjson``: a line of JSON for each sample and each restart by the watchdog."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import msgspec

NAME = "watchdog.ndjson"
# Two files of this size hold the samples of four to nine hours.
_FILE_BYTES = 8 * 1024 * 1024
_OLD_FILES = 1

log = logging.getLogger("weir.watchdog")


class SampleLog:
    """Appends lines to ``watchdog.ndjson``; a full file is renamed to ``watchdog.ndjson.1``.

    Args:
        folder: the folder of the file, which is the state folder.
        file_bytes: the size at which the file is full.
    """

    def __init__(self, folder: Path, file_bytes: int = _FILE_BYTES) -> None:
        self._handler = _Handler(folder / NAME, file_bytes)

    def write(self, fields: Mapping[str, Any]) -> None:
        """Append a line of JSON with these fields, after a field with the time."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = msgspec.json.encode({"time": time, **fields}).decode()
        self._handler.handle(logging.makeLogRecord({"msg": line}))

    def close(self) -> None:
        self._handler.close()


class _Handler(RotatingFileHandler):
    """Writes the file; if that fails, logs the failure once instead of once for each line."""

    def __init__(self, path: Path, file_bytes: int) -> None:
        super().__init__(path, maxBytes=file_bytes, backupCount=_OLD_FILES, delay=True)
        self._path = path
        self._failing = self._failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Append a line to the file; after failures, log that the file can be written again."""
        self._failed = False
        super().emit(record)
        if self._failing and not self._failed:
            log.info("%s can be written again", self._path)
        self._failing = self._failed

    def handleError(self, _record: logging.LogRecord) -> None:
        """Log that the file cannot be written, if the last line could be written."""
        self._failed = True
        if not self._failing:
            error = sys.exc_info()[1]
            log.error(
                "%s cannot be written, so the watchdog's measurements are lost: %s",
                self._path,
                error,
            )
        # The file is closed and its buffer is dropped, because writing the buffer would fail again
        # and again. The next line opens the file anew.
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
