"""Publishes again what the last processor may not have sent before its end."""

from __future__ import annotations

from processor.native.asks import refusal
from processor.native.record import Record, Services
from processor.store import messages, sessions
from processor.store.recovery import RecoveredChanges


def retell(news: RecoveredChanges, services: Services) -> None:
    """Publish removed sessions and the present state of others, before all else of this epoch.

    Events that were saved right before the end may never have left the last processor's sockets.
    No subscriber receives these new events at first: a subscriber of the last epoch finds a gap at
    the start of the new epoch, and asks for them. Sessions that were removed earlier are only
    entered into the ledger, for readers from an earlier epoch.
    """
    for session in news.gone:
        Record(session, services).remember_gone()
    for session in news.removed:
        Record(session, services).publish_removal()
    for found in news.changed:
        record = Record(found.session, services)
        record.publish_session(found.session)
        for name in found.messages:
            # One by one: all of them together may not fit into memory.
            stored = services.database.call(messages.get, found.session.id, name)
            message, parts = messages.decoded(stored)
            record.publish_message(message)
            for part in parts:
                record.publish_part(part)
        if not found.runs:
            record.idle()
    for gone in news.parts_gone:
        session = services.database.call(sessions.get, gone.session)
        Record(session, services).publish_gone(gone)
    for session, asked in news.asks:
        Record(session, services).publish(refusal(asked))
