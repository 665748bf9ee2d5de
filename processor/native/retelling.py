"""Telling readers what the last processor may not have told them."""

from __future__ import annotations

from processor.native.record import Record, Services
from processor.store import messages
from processor.store.recovery import RecoveredChanges


def retell(news: RecoveredChanges, services: Services) -> None:
    """Publish what sessions are gone, and what others are now, before all else of this epoch.

    What was saved right before the end may never have left the last processor's sockets. Nobody
    hears this yet: a subscriber that knew the last epoch finds these events missing from the new
    one, and asks for them. What had gone before is for those who come from an earlier epoch.
    """
    for session in news.gone:
        Record(session, services).remember_gone()
    for session in news.removed:
        Record(session, services).publish_removal()
    for found in news.changed:
        record = Record(found.session, services)
        record.publish_session(found.session)
        for name in found.messages:
            # One by one: all of them may be more than the memory holds.
            stored = services.database.call(messages.get, found.session.id, name)
            message, parts = messages.decoded(stored)
            record.publish_message(message)
            for part in parts:
                record.publish_part(part)
        if not found.runs:
            record.idle()
