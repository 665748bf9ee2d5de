"""Telling readers what the last processor may not have told them."""

from __future__ import annotations

from collections.abc import Sequence

from processor.record import Record, Services
from processor.store.recovery import Changed


def heal(changed: Sequence[Changed], services: Services) -> None:
    """Publish what sessions are now, before anything else of this epoch.

    What was saved right before the end may never have left the last processor's sockets. Nobody
    hears this yet: a subscriber that knew the last epoch finds these events missing from the new
    one, and asks for them.
    """
    for found in changed:
        record = Record(found.session, services)
        record.publish_session(found.session)
        for message, parts in found.messages:
            record.publish_message(message)
            for part in parts:
                record.publish_part(part)
        record.idle()
