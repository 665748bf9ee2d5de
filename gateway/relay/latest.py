"""Where the latest event of each session, folder and workspace stands in the log.

A lane whose filter admits no new event skips all new events by one look here, not by a look at
each event. So streams with many different filters cost little while the log grows by other events.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from bus.envelope import Envelope
from bus.events import Opaque, type_of
from gateway.relay.view import Endpoint, View

_NEVER = -1


Subject = tuple[str, str | None]
"""A session or a directory by its name, or `_ANY`: what an event is about or a view asks for."""
_ANY: Subject = ("any", None)
_MOST_SESSIONS = 16
"""What finds a view by a session costs 0.4 KB for each of them; a view may name hundreds."""


def subjects_of(view: View) -> list[Subject]:
    """Return subjects such that an event is about one of them if `view` admits it.

    Events that may be for every view are left out.
    """
    if 0 < len(view.sessions) <= _MOST_SESSIONS:
        return [("session", session) for session in view.sessions]
    if not view.sessions and _is_at_one_place(view):
        return [("directory", view.directory)]
    return [_ANY]


def _is_at_one_place(view: View) -> bool:
    return view.endpoint is Endpoint.INSTANCE and not view.elsewhere


class News(Struct):
    """What events are about.

    Attributes:
        sessions: of the events.
        directories: likewise.
        for_all: some may be for every view.
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
        """Tell whether `view` may admit one of the events; True may be wrong, False never is."""
        if self.for_all or not self.sessions:
            return self.for_all
        if view.sessions and self.sessions.isdisjoint(view.sessions):
            return False
        return not _is_at_one_place(view) or view.directory in self.directories


class Latest:
    """Positions of the latest events. What has left the log counts as never.

    Attributes:
        news: what came since this was last taken away.
    """

    def __init__(self) -> None:
        self.news = News()
        self._sessions: dict[str | None, int] = {}
        self._directories: dict[str | None, int] = {}
        self._workspaces: dict[str | None, int] = {}
        self._for_any_session = _NEVER
        self._tail = 0

    def note(self, position: int, envelope: Envelope) -> None:
        """Take in the event that stands at `position`."""
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
        """Tell whether an event from position `start` on may be one that `view` admits.

        True may be wrong, False never is, as long as the log still holds `start`.
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
        """Forget what stands before `tail`, the oldest position of the log."""
        if tail == self._tail:
            return
        self._tail = tail
        for latest in (self._sessions, self._directories, self._workspaces):
            for name in [name for name, position in latest.items() if position < tail]:
                del latest[name]
