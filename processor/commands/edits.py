"""A person's edits of a session's messages: change, remove, hide (undo) and show again (redo).

An edit is refused while a turn runs in the session.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from bus.answers import CommandFailed
from bus.bodies import RevertBody
from bus.commands import MessageDelete, PartPatch
from bus.events.part import Part
from bus.events.session import Session
from processor.clock import now_ms
from processor.native.record import Record, Services
from processor.native.turns import Turns
from processor.store import edits, sessions
from processor.store.removals import Gone


class EditCommands:
    """Executes edits; each edit is saved first, and then published."""

    def __init__(self, services: Services, turns: Turns) -> None:
        self._services = services
        self._database = services.database
        self._turns = turns

    def revert(self, session: str, body: RevertBody | None) -> Session:
        """Hide messages until the next prompt removes them; without a body, show them again.

        Raises:
            UnknownSession: the session does not exist.
            UnknownMessage: the session has no such message or part.
            CommandFailed: a turn of the session runs.
        """
        self._check_idle(session)
        if body is None:
            changed = self._database.call(edits.unrevert, session)
        else:
            changed = self._database.call(edits.revert, session, body.messageID, body.partID)
        Record(changed, self._services).publish_session(changed)
        return changed

    def remove(self, c: MessageDelete) -> bool:
        """Remove a message, or one of its parts.

        Raises:
            UnknownMessage: the session has no such message or part.
            CommandFailed: a turn of the session runs.
        """
        self._check_idle(c.session)
        gone = self._database.call(edits.remove, c.session, c.message, c.part, now_ms())
        session = self._database.call(sessions.get, c.session)
        publish_gone(gone, session, self._services)
        return True

    def patch_part(self, c: PartPatch) -> Part:
        """Replace a part of a message, and return the new part.

        Raises:
            UnknownMessage: the session has no such message or part.
            CommandFailed: a turn of the session runs, or the ids or the type in the body are not
                those of the stored part.
        """
        given = (c.body.sessionID, c.body.messageID, c.body.id)
        for name, field, path in zip(
            ("sessionID", "messageID", "id"), given, (c.session, c.message, c.part), strict=True
        ):
            if field != path:
                raise CommandFailed(
                    "invalid", f"{name}: {field!r} is not the {path!r} of the path", field=name
                )
        self._check_idle(c.session)
        self._database.check_quota()
        try:
            self._database.call(edits.replace_part, c.body)
        except edits.OtherType as error:
            message = f"type: part {c.part} is of type {error.kind}, and stays so"
            raise CommandFailed("invalid", message, field="type") from error
        session = self._database.call(sessions.get, c.session)
        Record(session, self._services).publish_part(c.body)
        return c.body

    def _check_idle(self, session: str) -> None:
        """Check that no turn runs; the caller then edits at once, before a new turn can begin.

        Raises:
            CommandFailed: a turn of the session runs.
        """
        if self._turns.is_busy(session):
            raise CommandFailed(
                "conflict", f"a turn of session {session} runs; abort it, or wait for its end"
            )


def remove_hidden(session: Session, services: Services) -> Session:
    """Remove the messages that a revert hides, publish this, and return the changed session.

    Raises:
        UnknownSession: the session does not exist.
    """
    gone = services.database.call(edits.remove_hidden, session.id, now_ms())
    if not gone and session.revert is UNSET:
        return session
    changed = services.database.call(sessions.get, session.id)
    publish_gone(gone, changed, services)
    Record(changed, services).publish_session(changed)
    return changed


def publish_gone(gone: Sequence[Gone], session: Session, services: Services) -> None:
    """Publish the removal of messages and parts from a session."""
    record = Record(session, services)
    for one in gone:
        record.publish_gone(one)
