"""The log position of the latest event of each session, directory and workspace.

A lane whose view admits no new event skips all new events by one look here, instead of a look at
each event. So streams with many different views cost little while events for others arrive.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from bus.envelope import Envelope
from bus.events import Opaque, type_of
from gateway.relay.view import Endpoint, View

_NEVER = -1


Subject = tuple[str, str | None]
"""A session or a directory by name, or `_ANY`: what an event is about, or what a view selects."""
_ANY: Subject = ("any", None)
_MOST_SESSIONS = 16
"""Finding a view by its sessions takes 0.4 KB for each session, and a view may name hundreds."""


def subjects_of(view: View) -> list[Subject]:
    """Return subjects so that every event that `view` admits is about one of them.

    Events that may be for every view are not counted.
    """
    if 0 < len(view.sessions) <= _MOST_SESSIONS:
        return [("session", session) for session in view.sessions]
    if not view.sessions and _is_at_one_place(view):
        return [("directory", view.directory)]
    return [_ANY]


def _is_at_one_place(view: View) -> bool:
    return view.endpoint is Endpoint.INSTANCE and not view.elsewhere


class News(Struct):
    """The sessions and directories that new events are about.

    Attributes:
        sessions: of the events.
        directories: of the events.
        for_all: some of the events may be for every view.
    """

    sessions: set[str | None] = field(default_factory=set)
    directories: set[str | None] = field(default_factory=set)
    for_all: bool = False

    @property
    def subjects(self) -> Iterator[Subject]:
        """All that the events are about."""
        if self.sessions:
            yield _ANY
        for session in self.sessions:
            yield "session", session
        for directory in self.directories:
            yield "directory", directory

    def concerns(self, view: View) -> bool:
        """Return whether `view` may admit one of the events; False is certain, True is not."""
        if self.for_all or not self.sessions:
            return self.for_all
        if view.sessions and self.sessions.isdisjoint(view.sessions):
            return False
        return not _is_at_one_place(view) or view.directory in self.directories


class Latest:
    """Positions of the latest events. A position that has left the log counts as none.

    Attributes:
        news: the events since `news` was last replaced.
    """

    def __init__(self) -> None:
        self.news = News()
        self._sessions: dict[str | None, int] = {}
        self._directories: dict[str | None, int] = {}
        self._workspaces: dict[str | None, int] = {}
        self._for_any_session = _NEVER
        self._tail = 0

    def note(self, position: int, envelope: Envelope) -> None:
        """Record the event at `position`."""
        event, news = envelope.event, self.news
        self._sessions[event.sessionID] = position
        self._directories[envelope.directory] = position
        news.sessions.add(event.sessionID)
        news.directories.add(envelope.directory)
        if envelope.workspace is not None:
            self._workspaces[envelope.workspace] = position
        if isinstance(event, Opaque) and type_of(event.type).for_any_session:
            self._for_any_session = position
            news.for_all = True

    def may_hold(self, view: View, start: int) -> bool:
        """Return whether `view` may admit an event from position `start` on.

        False is certain, True is not, as long as the log still contains `start`.
        """
        if view.endpoint is Endpoint.INSTANCE:
            if not view.elsewhere and self._directories.get(view.directory, _NEVER) < start:
                return False
            workspace = view.workspace
            if workspace is not None and self._workspaces.get(workspace, _NEVER) < start:
                return False
        if not view.sessions or self._for_any_session >= start:
            return True
        sessions = self._sessions
        if len(sessions) < len(view.sessions):
            return any(at >= start and one in view.sessions for one, at in sessions.items())
        return any(sessions.get(session, _NEVER) >= start for session in view.sessions)

    def forget(self, tail: int) -> None:
        """Drop positions before `tail`, the oldest position of the log."""
        if tail == self._tail:
            return
        self._tail = tail
        for latest in (self._sessions, self._directories, self._workspaces):
            for name in [name for name, position in latest.items() if position < tail]:
                del latest[name]
