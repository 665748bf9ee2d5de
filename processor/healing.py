"""Telling readers about the turns that the last processor left open."""

from __future__ import annotations

from collections.abc import Sequence

from processor.record import Record, Services
from processor.store.recovery import Recovered


def heal(recovered: Sequence[Recovered], services: Services) -> None:
    """Publish the end of each, before anything else of this epoch.

    Nobody hears it yet: a subscriber that knew the last epoch finds these events missing from
    the new one, and asks for them.
    """
    for found in recovered:
        record = Record(found.session, services)
        for part in found.parts:
            record.publish_part(part)
        record.publish_message(found.answer)
        record.idle()
