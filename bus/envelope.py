"""An envelope: an event on the bus, with the processor that published it and its number."""

from __future__ import annotations

from msgspec import Struct

from bus.events.event import Event


class Envelope(Struct, frozen=True, array_like=True, gc=False):
    """An event with its position in the order of its source.

    Attributes:
        source: id of the processor that published the event.
        epoch: names one start of that processor; without the characters ``: - . ,``.
        seq: contiguous from 1 within one source and epoch.
        time_ns: time of publication, ns since the Unix epoch.
        directory: the folder that the event is about, None if there is none.
        project: the project's id, if there is a project.
        workspace: the workspace's id, if there is a workspace.
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
        """Id of the session that the event is about, None if there is none."""
        return self.event.sessionID
