"""The work loop: runs due work ten times a second, and sends heartbeats.

One greenlet does both on purpose: if this greenlet hangs, the heartbeats stop too.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

from bus.process.heart import Heart
from bus.transport.publisher import Publisher

# Text is saved in each beat. After a kill at most 250 ms of text may be missing; the part of this
# time that is not the beat is for the write.
BEAT_S = 0.1
HEARTBEAT_S = 1.0


class Pulse:
    """Runs until it is killed.

    Args:
        publisher: sends the heartbeats.
        each_beat: called every `BEAT_S`; must not block.
        heart: reports to the service manager.
    """

    def __init__(self, publisher: Publisher, each_beat: Callable[[], None], heart: Heart) -> None:
        self._publisher = publisher
        self._each_beat = each_beat
        self._heart = heart

    def run(self) -> None:
        """Call `each_beat` every `BEAT_S`, and send a heartbeat every `HEARTBEAT_S`."""
        next_heartbeat = time.monotonic()
        while True:
            self._each_beat()
            if time.monotonic() >= next_heartbeat:
                self._publisher.heartbeat()
                next_heartbeat += HEARTBEAT_S
            self._heart.beat()
            gevent.sleep(BEAT_S)
