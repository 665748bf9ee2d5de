"""``watchdog.ndjson``: a line of JSON for each sample and each action of the watchdog, bounded."""

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
# The samples of four to nine hours, in two files.
_FILE_BYTES = 8 * 1024 * 1024
_OLD_FILES = 1

log = logging.getLogger("weir.watchdog")


class SampleLog:
    """Appends lines, and renames a full file to ``watchdog.ndjson.1``.

    Args:
        folder: of the file.
        file_bytes: how large a file may grow.
    """

    def __init__(self, folder: Path, file_bytes: int = _FILE_BYTES) -> None:
        self._handler = _Handler(folder / NAME, file_bytes)

    def write(self, fields: Mapping[str, Any]) -> None:
        """Append a line, with the time as its first field."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = msgspec.json.encode({"time": time, **fields}).decode()
        self._handler.handle(logging.makeLogRecord({"msg": line}))

    def close(self) -> None:
        self._handler.close()


class _Handler(RotatingFileHandler):
    """Logs only once that the file cannot be written, and once that it can be written again."""

    def __init__(self, path: Path, file_bytes: int) -> None:
        super().__init__(path, maxBytes=file_bytes, backupCount=_OLD_FILES, delay=True)
        self._path = path
        self._failing = self._failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Append a line."""
        self._failed = False
        super().emit(record)
        if self._failing and not self._failed:
            log.info("%s is written again", self._path)
        self._failing = self._failed

    def handleError(self, _record: logging.LogRecord) -> None:
        """Log the failure; the watchdog continues."""
        self._failed = True
        if not self._failing:
            error = sys.exc_info()[1]
            log.error("%s cannot be written, samples are lost: %s", self._path, error)
        # The buffer is dropped: writing it again would fail again, and so would closing the file.
        stream, self.stream = self.stream, None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
