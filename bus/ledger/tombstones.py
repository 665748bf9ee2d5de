"""Tombstones: removed entities, for readers that may still show them."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from bus.envelope import Envelope
from bus.events.catalogue import SESSION
from bus.ledger.slot import Slot, kind_of

MOST = 2048

_Key = tuple[str, Slot]


class Tombstone(Struct, frozen=True, array_like=True):
    """The event that removed an entity, and the seq of the entity's first event."""

    ended: Envelope
    born: int

    def seq(self, epoch: str) -> int:
        """Return the seq of the removal, 0 if it was before `epoch`."""
        return self.ended.seq if self.ended.epoch == epoch else 0


class Tombstones:
    """All tombstones of a ledger; past the bound, the oldest is dropped first."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._stones: dict[_Key, Tombstone] = {}

    def __len__(self) -> int:
        return len(self._stones)

    def __iter__(self) -> Iterator[tuple[_Key, Tombstone]]:
        """Yield the tombstones, oldest first."""
        return iter(list(self._stones.items()))

    def put(self, session: str, slot: Slot, stone: Tombstone) -> Tombstone | None:
        """Add a tombstone; return the oldest tombstone if it was dropped to make room."""
        self._stones.pop((session, slot), None)
        self._stones[session, slot] = stone
        if len(self._stones) <= self._most:
            return None
        return self._stones.pop(next(iter(self._stones)))

    def take(self, session: str, slot: Slot) -> Tombstone | None:
        """Remove a tombstone and return it; None if there is none."""
        return self._stones.pop((session, slot), None)

    def drop_below(self, session: str, slot: Slot) -> None:
        """Remove the tombstones of the entities that belonged to a session or a message."""
        kind, name = slot
        for key, stone in self:
            if key[0] != session:
                continue
            owned = stone.ended.event.owner == name and kind_of(key[1]).is_owned_by(kind)
            if kind == SESSION.name or owned:
                del self._stones[key]

    def renew(self) -> None:
        """Begin a new epoch: a reader in an earlier epoch may show any removed entity."""
        self._stones = {key: replace(stone, born=0) for key, stone in self._stones.items()}
