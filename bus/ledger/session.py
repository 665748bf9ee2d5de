"""The entries of one session in the ledger."""

from __future__ import annotations

from bus.events import ENTITIES
from bus.events.catalogue import MESSAGE, SESSION, STATUS
from bus.ledger.entry import Entry
from bus.ledger.slot import Slot, kind_of


class LedgerSession:
    """The entries of a session, in the order of their birth.

    Attributes:
        entries: by slot.
        whole: the ledger has all events of the session, from its creation on.
    """

    __slots__ = ("entries", "whole")

    def __init__(self, whole: bool = False) -> None:
        self.entries: dict[Slot, Entry] = {}
        self.whole = whole

    @property
    def live(self) -> bool:
        """Whether a turn runs in the session, or a question waits for a person."""
        status = self.entries.get((STATUS.name, ""))
        if status is not None and status.provisional:
            return True
        asking = {kind.name for kind in ENTITIES.values() if kind.asks}
        return any(kind in asking for kind, _ in self.entries)

    def ordered(self) -> list[tuple[Slot, Entry]]:
        """Return the entries in the order in which they are sent: by kind, then by birth."""
        return sorted(self.entries.items(), key=_rank)

    @property
    def last_ns(self) -> int:
        """When the session last changed, ns since the Unix epoch."""
        return max((entry.last.time_ns for entry in self.entries.values()), default=0)

    def with_owned(self, slot: Slot) -> list[Slot]:
        """Return an entity and all entities that it owns: a message owns its parts."""
        kind, name = slot
        if kind == SESSION.name:
            return list(self.entries)
        owned = (
            one
            for one, entry in self.entries.items()
            if entry.snapshot.event.owner == name and kind_of(one).is_owned_by(kind)
        )
        return [slot, *owned]

    def messages(self) -> list[str]:
        """Return the ids of the messages, oldest first."""
        return [name for kind, name in self.entries if kind == MESSAGE.name]


def _rank(item: tuple[Slot, Entry]) -> int:
    return kind_of(item[0]).rank
