"""A reader's view: which events the reader gets, and in which form.

Readers with equal views share their encoded events, so a view is hashable and small.
"""

from __future__ import annotations

import enum
import zlib

from msgspec import Struct

from bus.envelope import Envelope
from bus.events import Opaque, type_of
from gateway.relay.scope import Scope


class Endpoint(enum.Enum):
    """The two event streams of opencode: for one directory, and for all directories."""

    INSTANCE = "/event"
    GLOBAL = "/global/event"


class View(Struct, frozen=True, cache_hash=True):
    """Which events a reader gets, and in which form.

    Attributes:
        endpoint: plain events of one directory, or events of all directories, each wrapped in an
            object with its directory.
        directory: for `/event`: only events of exactly this folder.
        workspace: for `/event`: only events of this workspace; None for any.
        sessions: only events of these sessions, and the end of an instance; empty for all.
        keep_superseded: send also deltas that a later snapshot replaces.
        elsewhere: pairs of a source (processor) and the folder that replaces `directory` in that
            source.
        scope: only events of these folders and sessions; None for all. The reader asks for the
            other filters; its access rights set the scope.
    """

    endpoint: Endpoint
    directory: str | None = None
    workspace: str | None = None
    sessions: frozenset[str] = frozenset()
    keep_superseded: bool = False
    elsewhere: tuple[tuple[str, str], ...] = ()
    scope: Scope | None = None

    @property
    def tag(self) -> str:
        """A checksum of this view, which event ids contain; the same on every worker."""
        parts = (
            self.endpoint.value,
            self.directory,
            self.workspace,
            sorted(self.sessions),
            self.keep_superseded,
            *self.elsewhere,
            self.scope_tag,
        )
        return f"{zlib.crc32(repr(parts).encode()):08x}"

    @property
    def scope_tag(self) -> str:
        """The checksum of `scope`, which event ids contain; empty without a scope."""
        return "" if self.scope is None else self.scope.tag

    def folder_at(self, source: str) -> str | None:
        """Return the folder whose events a reader with this view gets from a processor."""
        return next((folder for name, folder in self.elsewhere if name == source), self.directory)

    def admits(self, envelope: Envelope) -> bool:
        """Return whether a reader with this view gets the envelope."""
        event = envelope.event
        if self.scope is not None and not self.scope.has(envelope.directory, event.sessionID):
            return False
        if self.endpoint is Endpoint.INSTANCE:
            folder = self.folder_at(envelope.source) if self.elsewhere else self.directory
            if envelope.directory != folder:
                return False
            if self.workspace is not None and envelope.workspace != self.workspace:
                return False
            if isinstance(event, Opaque) and type_of(event.type).for_global:
                return False
        if not self.sessions or event.sessionID in self.sessions:
            return True
        return isinstance(event, Opaque) and type_of(event.type).for_any_session
