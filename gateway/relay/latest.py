"""The log position of the latest event of each session, directory and workspace.

Readers with the same filter (view) form a lane. A lane asks here whether its view may admit any
new event, and if not, skips all new events without a look at each event. So streams with many
different views cost little while events for other views arrive.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from bus.envelope import Envelope
from bus.events import Opaque, type_of
from gateway.relay.view import Endpoint, View

_NEVER = -1


Subject = tuple[str, str | None]
"""What an event is about, or what a view selects: a session, a directory, or anything (`_ANY`)."""
_ANY: Subject = ("any", None)
_MOST_SESSIONS = 16
"""A view with more sessions is filed under `_ANY`: each subject of a view takes 0.4 KB."""


def subjects_of(view: View) -> list[Subject]:
    """Return the sessions, or the directory, by which to find `view` when an event comes.

    Every event that `view` admits is about one of these subjects, except for events that may be
    for every view. `_ANY` means that the view must be looked at for every event.
    """
    if 0 < len(view.sessions) <= _MOST_SESSIONS:
        return [("session", session) for session in view.sessions]
    if not view.sessions and _is_at_one_place(view):
        return [("directory", view.directory)]
    return [_ANY]


def _is_at_one_place(view: View) -> bool:
    return view.endpoint is Endpoint.INSTANCE and not view.elsewhere


class News(Struct):
    """The sessions and directories that some new events are about.

    Attributes:
        sessions: the ids of the events' sessions; None for events without a session.
        directories: the events' directories; None for events without a directory.
        for_all: some of the events may be for every view.
    """

    sessions: set[str | None] = field(default_factory=set)
    directories: set[str | None] = field(default_factory=set)
    for_all: bool = False

    @property
    def subjects(self) -> Iterator[Subject]:
        """Every session and directory that one of the events is about."""
        if self.sessions:
            yield _ANY
        for session in self.sessions:
            yield "session", session
        for directory in self.directories:
            yield "directory", directory

    def concerns(self, view: View) -> bool:
        """Return False if `view` surely admits none of the events, True if it may admit some."""
        if self.for_all or not self.sessions:
            return self.for_all
        if view.sessions and self.sessions.isdisjoint(view.sessions):
            return False
        return not _is_at_one_place(view) or view.directory in self.directories


class Latest:
    """The log position of the latest event of each session, directory and workspace.

    Attributes:
        news: the sessions and directories of the events since a caller last replaced `news`.
    """

    def __init__(self) -> None:
        self.news = News()
        self._sessions: dict[str | None, int] = {}
        self._directories: dict[str | None, int] = {}
        self._workspaces: dict[str | None, int] = {}
        self._for_any_session = _NEVER
        self._tail = 0

    def note(self, position: int, envelope: Envelope) -> None:
        """Record that the log has `envelope` at `position`."""
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
        """Return False if `view` surely admits no event from position `start` on, else True.

        The log must still contain `start`.
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
