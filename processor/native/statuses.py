"""The present status of each session: idle, busy, or retry while a model's API fails.

A session is busy from the moment at which a prompt is accepted until no prompt waits or runs.
"""

from __future__ import annotations

from collections.abc import Callable

from bus.events.session import Busy, Idle, Session, Status


class LiveStatuses:
    """Remembers the status of each session that is not idle.

    Attributes:
        waits: returns whether prompts of a session, which is named by its id, wait to be answered.
    """

    def __init__(self) -> None:
        self.waits: Callable[[str], bool] = lambda session: False
        self._working: dict[str, tuple[Session, Status]] = {}

    def set(self, session: Session, status: Status) -> None:
        """Set a session's status."""
        if isinstance(status, Idle):
            self._working.pop(session.id, None)
        else:
            self._working[session.id] = (session, status)

    def accept(self, session: Session) -> None:
        """Note that a prompt of a session was accepted; its turn publishes the status later."""
        self._working.setdefault(session.id, (session, Busy()))

    def working(self, session: str) -> Session | None:
        """Return the session with this id; None if it is idle."""
        found = self._working.get(session)
        return None if found is None else found[0]

    def of(self, directory: str | None) -> dict[str, Status]:
        """Return the status of each session that is not idle, by the session's id.

        `directory` selects the sessions of one directory; None: all sessions.
        """
        return {
            session.id: status
            for session, status in self._working.values()
            if directory in (None, session.directory)
        }
