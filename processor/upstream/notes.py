"""Notes for the healing of the next processor: which sessions there were, and at what time.

The memory of what was published ends with the process. For lively sessions the notes need only the
id: healing fetches them whole. For sessions at rest the notes have their last change, so that
healing can find out which were deleted.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from bus.json import well_formed
from bus.malformed import MALFORMED
from processor.upstream.frames import InstanceLocation
from processor.upstream.survey import AtRest

log = logging.getLogger("weir.upstream")

T = TypeVar("T")


class Noted(Struct):
    """The content of the notes.

    Attributes:
        since_ms: the last time when the stream was certainly complete, by the server's clock.
        sessions: the lively sessions and their locations.
        at_rest: the other sessions that readers know: their locations, and their last changes
            (ms).
    """

    since_ms: int
    sessions: dict[str, InstanceLocation]
    at_rest: AtRest = {}


class Notes:
    """A small file that is always replaced as a whole.

    Args:
        file: its path; the folder is created if it is missing.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._written: Noted | None = None
        self._decode = msgspec.json.Decoder(Noted).decode

    def read(self) -> Noted | None:
        """Return the last processor's notes, None if there are none that can be read."""
        try:
            return self._decode(self._file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, *MALFORMED) as error:
            log.warning(
                "%s cannot be read, so events that were missed during the restart may stay "
                "missing: %s",
                self._file,
                error,
            )
            return None

    def write(self, noted: Noted) -> None:
        """Write the notes, unless only the time has changed and no session is lively."""
        before = self._written
        if before is not None and (before.sessions, before.at_rest) == ({}, noted.at_rest):
            before = Noted(noted.since_ms, {}, noted.at_rest)
        if before == noted:
            return
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_bytes(_encoded(noted))
            os.replace(fresh, self._file)
        except OSError as error:
            log.warning(
                "%s cannot be written, so events that are missed during the next restart may stay "
                "missing: %s",
                self._file,
                error,
            )
        self._written = noted


def _encoded(noted: Noted) -> bytes:
    """Return notes as JSON, without the sessions whose ids UTF-8 cannot encode.

    Such an id has half a surrogate pair. Healing can make no request for it either.
    """
    try:
        return msgspec.json.encode(noted)
    except UnicodeEncodeError:
        sessions, at_rest = _well_formed(noted.sessions), _well_formed(noted.at_rest)
        return msgspec.json.encode(Noted(noted.since_ms, sessions, at_rest))


def _well_formed(by_session: Mapping[str, T]) -> dict[str, T]:
    return {id_: value for id_, value in by_session.items() if well_formed(id_) == id_}
