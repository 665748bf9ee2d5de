"""Notes for the next processor's healing: which sessions there were, and until when.

The memory of what was published ends with the process. For lively sessions it is enough to know
that readers may lack something: healing fetches them whole. Sessions at rest may have ended.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from bus.malformed import MALFORMED
from processor.upstream.frames import InstanceLocation
from processor.upstream.survey import AtRest

log = logging.getLogger("weir.upstream")


class Noted(Struct):
    """What was noted.

    Attributes:
        since_ms: by the server's clock, when the stream was certainly whole.
        sessions: those that were lively then, and where they live.
        at_rest: others that readers know: where they live, and when they last changed, in ms.
    """

    since_ms: int
    sessions: dict[str, InstanceLocation]
    at_rest: AtRest = {}


class Notes:
    """A small file that is replaced as a whole.

    Args:
        file: where it is; its folder is made if need be.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._written: Noted | None = None
        self._decode = msgspec.json.Decoder(Noted).decode

    def read(self) -> Noted | None:
        """Return what the last processor noted, None if it noted nothing that can be read."""
        try:
            return self._decode(self._file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, *MALFORMED) as error:
            log.warning("%s cannot be read, healing runs without it: %s", self._file, error)
            return None

    def write(self, noted: Noted) -> None:
        """Note this; nothing is written while nothing happens but that time goes by."""
        before = self._written
        if before is not None and (before.sessions, before.at_rest) == ({}, noted.at_rest):
            before = Noted(noted.since_ms, {}, noted.at_rest)
        if before == noted:
            return
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(noted))
            os.replace(fresh, self._file)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._file, error)
        self._written = noted
