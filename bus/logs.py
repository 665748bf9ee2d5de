"""How log records look: one line each, on standard error."""

from __future__ import annotations

import logging
import sys

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class OneLine(logging.Formatter):
    """Keeps a record on one line, whatever a provider or a traceback puts into it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return super().format(record).replace("\r", "\\r").replace("\n", "\\n")


def configure(level: str) -> None:
    """Log to standard error from `level` on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # urllib3 logs every request at debug, URL and all.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    # It logs a traceback of each head that it does not fully understand.
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
