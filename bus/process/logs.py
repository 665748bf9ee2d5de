"""The log format: one line for each record, on standard error."""

from __future__ import annotations

import logging
import re
import sys

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


# Line ends, terminal control characters, and characters that change the direction of text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class OneLine(logging.Formatter):
    """Formats a record as one line without control characters, whatever its text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return _CONTROL.sub(lambda found: repr(found[0])[1:-1], super().format(record))


def configure(level: str) -> None:
    """Log to standard error, from `level` upwards."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # urllib3 logs every request at debug, including the URL.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    # It logs a traceback for each response head that it cannot fully parse.
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
