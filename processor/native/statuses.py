"""The present status of each session: idle, busy, or retry while a model's API fails."""

from __future__ import annotations

from bus.events.session import Idle, Session, Status


class LiveStatuses:
    """Remembers the status of each session that is not idle."""

    def __init__(self) -> None:
        self._working: dict[str, tuple[str, Status]] = {}

    def set(self, session: Session, status: Status) -> None:
        """Set a session's status."""
        if isinstance(status, Idle):
            self._working.pop(session.id, None)
        else:
            self._working[session.id] = (session.directory, status)

    def of(self, directory: str | None) -> dict[str, Status]:
        """Return the status of each session that is not idle, by the session's id.

        `directory` selects the sessions of one directory; None: all sessions.
        """
        return {
            session: status
            for session, (where, status) in self._working.items()
            if directory in (None, where)
        }
