"""A person's changes of a session in which no turn runs: messages, parts, undo and redo."""

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
    """Executes edits; each is saved, then published."""

    def __init__(self, services: Services, turns: Turns) -> None:
        self._services = services
        self._database = services.database
        self._turns = turns

    def revert(self, session: str, body: RevertBody | None) -> Session:
        """Hide messages until the next prompt removes them; None: show them again.

        Raises:
            UnknownSession: the session does not exist.
            UnknownMessage: the session has no such message or part.
            CommandFailed: a turn runs.
        """
        self._check_idle(session)
        if body is None:
            changed = self._database.call(edits.unrevert, session)
        else:
            changed = self._database.call(edits.revert, session, body.messageID, body.partID)
        Record(changed, self._services).publish_session(changed)
        return changed

    def remove(self, c: MessageDelete) -> bool:
        """Remove a message or a part of it.

        Raises:
            UnknownMessage: the session has no such message or part.
            CommandFailed: a turn runs.
        """
        self._check_idle(c.session)
        gone = self._database.call(edits.remove, c.session, c.message, c.part, now_ms())
        session = self._database.call(sessions.get, c.session)
        publish_gone(gone, session, self._services)
        return True

    def patch_part(self, c: PartPatch) -> Part:
        """Replace a part.

        Raises:
            UnknownMessage: the session has no such message or part.
            CommandFailed: a turn runs, or the part has other ids than the command.
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
        """Check that no turn runs; the caller must then submit its job without waiting.

        Raises:
            CommandFailed: a turn runs.
        """
        if self._turns.is_busy(session):
            raise CommandFailed(
                "conflict", f"a turn of session {session} runs; abort it, or wait for its end"
            )


def remove_hidden(session: Session, services: Services) -> Session:
    """Remove the messages that a revert hides; return the session.

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
    """Publish the removals from a session."""
    record = Record(session, services)
    for one in gone:
        record.publish_gone(one)
