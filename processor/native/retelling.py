"""Publishes again, after a restart, the changes that the last processor may not have sent."""

from __future__ import annotations

from processor.native.asks import refusal
from processor.native.record import Record, Services
from processor.store import messages, sessions
from processor.store.recovery import RecoveredChanges


def retell(news: RecoveredChanges, services: Services) -> None:
    """Publish the removed sessions and the present state of the changed ones.

    The last processor may have saved changes whose events never left its sockets. Call this first
    in a new epoch (the numbering of events since a processor's start). No subscriber is connected
    yet; a subscriber that connects later finds a gap at the start of the epoch, and asks for these
    events. Sessions that were removed longer ago are only entered into the ledger, for readers
    that were last connected then.

    Args:
        news: the changes that recovery found in the database.
        services: the store, the publisher and the other objects of the processor.
    """
    for session in news.gone:
        Record(session, services).remember_gone()
    for session in news.removed:
        Record(session, services).publish_removal()
    for found in news.changed:
        record = Record(found.session, services)
        record.publish_session(found.session)
        for name in found.messages:
            # Load one message at a time: all messages together may not fit into memory.
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
