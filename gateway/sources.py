"""The processors that feed this worker: each a bus, of which events come and questions are asked.

Events of all come by one socket. What is missed of a source is asked of its processor, which is
known once it has told of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gevent

from bus import clone, replay
from bus.clone import Cloned
from bus.envelope import Envelope
from bus.replay import CannotRepair
from bus.requester import Requester


class Sources:
    """Asks the processors of all buses.

    Args:
        requesters: one for each bus; the first processor also carries out commands.
        load: takes what they know, all at once.
    """

    def __init__(
        self, requesters: Sequence[Requester], load: Callable[[Sequence[Cloned]], None]
    ) -> None:
        self._requesters = requesters
        self._load = load
        self._by_source: dict[str, Requester] = {}

    def join(self) -> list[tuple[str, str, int]]:
        """Go on from what the processors know; returns source, epoch and seq of each.

        Raises:
            CannotRepair: none of them tells.
        """
        asked = [gevent.spawn(_fetch, requester) for requester in self._requesters]
        found = [one.get() for one in asked]
        clones: list[Cloned] = []
        for requester, one in zip(self._requesters, found, strict=True):
            if isinstance(one, Cloned):
                self._by_source[one.snapshot.source] = requester
                clones.append(one)
        if not clones:
            raise CannotRepair(", ".join(map(str, found)))
        self._load(clones)
        return [(c.snapshot.source, c.snapshot.epoch, c.snapshot.seq) for c in clones]

    def repair(self, source: str, epoch: str, after: int, upto: int) -> list[Envelope]:
        """Return what a source published after seq `after`, up to and with `upto`.

        Raises:
            CannotRepair: it cannot be had.
        """
        why = "no bus to ask"
        for requester in self._of(source):
            try:
                missing = replay.fetch(requester, epoch, after, upto)
            except CannotRepair as error:
                why = str(error)
            else:
                self._by_source[source] = requester
                return missing
        raise CannotRepair(why)

    def restarted(self, source: str, epoch: str) -> None:
        """Give up what was asked of a source before it started anew."""
        for requester in self._of(source):
            requester.abandon(epoch)

    def _of(self, source: str) -> Sequence[Requester]:
        known = self._by_source.get(source)
        return self._requesters if known is None else [known]


def _fetch(requester: Requester) -> Cloned | CannotRepair:
    try:
        return clone.fetch(requester)
    except CannotRepair as error:
        return error
