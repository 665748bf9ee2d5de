"""What the next processor needs to know to heal: which sessions were lively, and until when.

What readers were told is forgotten with the process. But that they may have been told too little
of these sessions is enough to know: healing fetches them whole.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from processor.upstream.frames import Place

log = logging.getLogger("weir.upstream")


class Noted(Struct):
    """What was noted.

    Attributes:
        since_ms: by the server's clock, when the stream was certainly whole.
        sessions: those that were lively then, and where they live.
    """

    since_ms: int
    sessions: dict[str, Place]


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
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("%s cannot be read, healing goes without it: %s", self._file, error)
            return None

    def write(self, since_ms: int, sessions: Mapping[str, Place]) -> None:
        """Note this; nothing is written while nothing is lively."""
        noted = Noted(since_ms, dict(sessions))
        if noted == self._written or (
            self._written is not None and not sessions and not self._written.sessions
        ):
            return
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(noted))
            os.replace(fresh, self._file)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._file, error)
        self._written = noted
