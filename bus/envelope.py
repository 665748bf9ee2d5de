"""An envelope: an event on the bus, with its source and its place in that source's order."""

from __future__ import annotations

from msgspec import Struct

from bus.events.event import Event


class Envelope(Struct, frozen=True, array_like=True, gc=False):
    """An event in its place.

    Attributes:
        source: id of the processor that published it.
        epoch: one per start of that processor; without the characters ``: - . ,``.
        seq: contiguous from 1 within one source and epoch.
        time_ns: when it was published, ns since the Unix epoch.
        directory: the folder it is about; None where it is about none.
        project: the project's id, where there is one.
        workspace: the workspace's id, where there is one.
        event: the event itself.
    """

    source: str
    epoch: str
    seq: int
    time_ns: int
    directory: str | None
    project: str | None
    workspace: str | None
    event: Event

    @property
    def session(self) -> str | None:
        """Id of the session the event is about, where there is one."""
        return self.event.sessionID
