"""What the ledger holds of one session."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from bus.events import Opaque
from bus.ledger.entry import Entry
from bus.ledger.slot import EntityKind, Slot
from bus.malformed import MALFORMED


class _Status(Struct):
    type: str = ""


class _Properties(Struct):
    status: _Status


class _Wire(Struct):
    properties: _Properties


_decode = msgspec.json.Decoder(_Wire).decode


class LedgerSession:
    """The entries of a session, in the order of their birth.

    Attributes:
        entries: by slot.
        whole: all of it is known, from its creation on.
        status: ``idle``, ``busy``, … as it was last told; None if it never was.
    """

    __slots__ = ("entries", "status", "whole")

    def __init__(self, whole: bool = False) -> None:
        self.entries: dict[Slot, Entry] = {}
        self.whole = whole
        self.status: str | None = None

    @property
    def live(self) -> bool:
        """Whether a turn runs in it, or a person is asked."""
        return self.status not in (None, "idle") or any(self.of(EntityKind.REQUEST))

    def of(self, kind: EntityKind) -> Iterator[Entry]:
        """Yield the entries of one kind."""
        return (entry for (found, _), entry in self.entries.items() if found is kind)

    def ordered(self) -> list[tuple[Slot, Entry]]:
        """Return the entries as they are to be told: by kind, and then as they were born."""
        return sorted(self.entries.items(), key=_kind)

    @property
    def last_ns(self) -> int:
        """When anything of it changed last, ns since the Unix epoch."""
        return max((entry.last.time_ns for entry in self.entries.values()), default=0)

    def parts(self, message: str) -> list[Slot]:
        """Return the slots of the parts of a message."""
        return [
            slot
            for slot, entry in self.entries.items()
            if slot[0] is EntityKind.PART and entry.message == message
        ]

    def messages(self) -> list[str]:
        """Return the ids of its messages, the oldest first."""
        return [name for kind, name in self.entries if kind is EntityKind.MESSAGE]


def status_of(event: Opaque) -> str:
    """Return what a ``session.status`` says, ``""`` if it says nothing that is known."""
    try:
        return _decode(event.payload).properties.status.type
    except MALFORMED:
        return ""


def _kind(item: tuple[Slot, Entry]) -> EntityKind:
    return item[0][0]
