"""Telling readers about the turns that the last processor left open."""

from __future__ import annotations

from collections.abc import Sequence

import gevent

from processor.record import Record, Services
from processor.store.recovery import Recovered

# Subscribers that lost the last processor connect again within a second.
REJOIN_S = 1.2


def heal(recovered: Sequence[Recovered], services: Services) -> None:
    """Publish the end of each, once readers can hear it."""
    if recovered:
        gevent.sleep(REJOIN_S)
    for found in recovered:
        record = Record(found.session, services)
        for part in found.parts:
            record.publish_part(part)
        record.publish_message(found.answer)
        # A prompt may have come meanwhile.
        if services.statuses.is_idle(found.session.id):
            record.idle()
