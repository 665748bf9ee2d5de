"""The ledger of one source: takes every event, and yields upserts for readers that missed some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bus.envelope import Envelope
from bus.events import Delta, Opaque, growth_of, type_of
from bus.events.catalogue import MESSAGE, SESSION
from bus.ledger.entry import Entry, Upsert
from bus.ledger.session import LedgerSession
from bus.ledger.slot import Slot, ended, kind_of, snapshot_of
from bus.ledger.tombstones import Tombstone, Tombstones

MAX_BYTES = 16 * 1024 * 1024
REST_S = 600.0
MOST_DIRECTORIES = 1024
_NS = 1_000_000_000
_SWEEP_EVERY_NS = 10 * _NS
_KEPT_MESSAGES = 2
_MOST_OF_ONE = 0.5
_WHOLE = (SESSION.name, "")


class Ledger:
    """Contains the present value of each entity of one source.

    Args:
        max_bytes: how much memory the entries may take.
        rest_s: for how long a session at rest is kept after its last change; at rest: no turn
            runs, and no question waits for a person.

    Attributes:
        max_bytes: as given.
        epoch: of the last event.
        seq: of the last event.
        floor: highest seq of any entity that the ledger has dropped.
        size: bytes that the entries take.
        sessions: by id; the session of the latest event comes last.
        tombstones: of removed entities.
        directories: of all events so far, at most `MOST_DIRECTORIES`.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, rest_s: float = REST_S) -> None:
        self.max_bytes = max_bytes
        self.epoch = ""
        self.seq = 0
        self.floor = 0
        self.size = 0
        self.sessions: dict[str, LedgerSession] = {}
        self.tombstones = Tombstones()
        self.directories: set[str | None] = set()
        self._rest_ns = int(rest_s * _NS)
        self._swept_ns = 0

    def note(self, envelopes: Iterable[Envelope]) -> None:
        """Take the next events of the source; consecutive deltas of one part cost like one."""
        texts: list[str] = []
        last: Envelope | None = None
        row: Delta | None = None
        for envelope in envelopes:
            event = envelope.event
            if isinstance(event, Delta):
                if (
                    row is None
                    or event.entity != row.entity
                    or event.field != row.field
                    or event.sessionID != row.sessionID
                    or event.other_type != row.other_type
                ):
                    self._grow_by(last, row, texts)
                    texts, row = [], event
                texts.append(event.delta)
                last = envelope
            else:
                self._grow_by(last, row, texts)
                last = row = None
                self._reach(envelope)
                self._note_opaque(envelope, event)
        self._grow_by(last, row, texts)

    def changed(self, after: int, known: int = 0) -> Iterator[Upsert]:
        """Yield the upserts for a reader that has all events of this epoch up to seq `after`.

        Args:
            after: negative for a reader in an earlier epoch, or at an unknown position.
            known: the reader may also have some events up to this seq, so it may show entities
                that were created between `after` and `known`.
        """
        known = max(after, known)
        for _, stone in self.tombstones:
            if stone.born <= known and stone.seq(self.epoch) > after:
                yield Upsert(stone.ended)
        for session in self.sessions.values():
            for slot, entry in session.ordered():
                if entry.seq(self.epoch) > (max(after, 0) if kind_of(slot).once else after):
                    yield entry.upsert()

    def recent(self, since_ns: int, live_only: bool) -> Iterator[Upsert]:
        """Yield the upserts for a reader that begins now.

        Args:
            since_ns: include a session at rest if it has changed since then.
            live_only: include no session at rest.
        """
        for name, session in self.sessions.items():
            of_none = name == ""  # events without a session are always included
            if of_none or session.live or (not live_only and session.last_ns >= since_ns):
                for slot, entry in session.ordered():
                    if not kind_of(slot).once:
                        yield entry.upsert()

    def put(self, session_id: str, slot: Slot, entry: Entry) -> None:
        """Set the entry of an entity."""
        session = self.sessions.pop(session_id, None) or LedgerSession()
        self.sessions[session_id] = session
        old = session.entries.get(slot)
        session.entries[slot] = entry
        self.size += entry.size - (old.size if old is not None else 0)

    def note_gone(self, envelope: Envelope) -> None:
        """Take an entity's removal in an earlier epoch, for readers that still show the entity."""
        slot = ended(envelope.event)
        if slot is not None:
            self.tombstones.put(envelope.session or "", slot, Tombstone(envelope, 0))

    def inherit(self, older: Ledger) -> None:
        """Take over the tombstones of the ledger that this ledger replaces.

        These are the removals in earlier epochs. If this ledger may have dropped an entity that
        came back after its removal, nothing is taken over: the old tombstone would remove the
        entity again.
        """
        same = older.epoch == self.epoch
        self.directories |= older.directories
        if self.floor > (older.seq if same else 0):
            return
        if not same:
            older.tombstones.renew()
        newer = list(self.tombstones)
        known = {(name, slot) for name, one in self.sessions.items() for slot in one.entries}
        for (session, slot), stone in older.tombstones:
            if (session, slot) not in known:
                self.tombstones.put(session, slot, stone)
        for (session, slot), stone in newer:
            self.tombstones.put(session, slot, stone)

    def spoke_of(self, directory: str | None) -> bool:
        """Return whether an event may have been about a directory, so that the source has it."""
        return directory in self.directories or len(self.directories) >= MOST_DIRECTORIES

    def _note_opaque(self, envelope: Envelope, event: Opaque) -> None:
        if len(self.directories) < MOST_DIRECTORIES:
            self.directories.add(envelope.directory)
        kind = type_of(event.type)
        session = event.sessionID or ""
        if kind.text_for is not None and event.entity is not None:
            if (grown := growth_of(event)) is not None:
                growing = kind.text_for.name, event.entity
                self._grow(envelope, session or self._session_of(growing), growing, *grown)
        elif (slot := snapshot_of(event)) is not None:
            self._tell(envelope, session, slot)
        elif (slot := ended(event)) is not None:
            self._end(envelope, session, slot)

    def _reach(self, envelope: Envelope) -> None:
        if envelope.epoch != self.epoch:
            self._renew(envelope.epoch)
        self.seq = envelope.seq

    def _grow_by(self, last: Envelope | None, row: Delta | None, texts: list[str]) -> None:
        """Take consecutive deltas of one field, of which `last` is the last."""
        if last is not None and row is not None:
            self._reach(last)
            self._grow(last, row.sessionID, (row.kind, row.entity), row.field, texts)

    def _grow(
        self, envelope: Envelope, session: str, slot: Slot, field: str, texts: list[str]
    ) -> None:
        known = self.sessions.get(session)
        entry = None if known is None else known.entries.get(slot)
        if entry is not None and not entry.may_grow:
            self._forget(session, slot)
            entry = None
        if entry is None:
            self._grow_unknown(envelope)
            return
        self.size += entry.grow(envelope, field, texts)
        self._make_room(entry, session, slot)

    def _session_of(self, slot: Slot) -> str:
        """Return the session of an entity, for a delta that may lack the session's id."""
        return next((name for name, one in self.sessions.items() if slot in one.entries), "")

    def _grow_unknown(self, envelope: Envelope) -> None:
        """Handle text for an entity without an entry: it was dropped, or is not yet created.

        It is not yet created if the session is whole. Otherwise the ledger lacks a change from now
        on.
        """
        session = self.sessions.get(envelope.session or "")
        if session is None or not session.whole:
            self.floor = envelope.seq

    def _tell(self, envelope: Envelope, session: str, slot: Slot) -> None:
        known = self.sessions.get(session)
        if known is None:
            whole = slot == _WHOLE and bool(type_of(envelope.event.type).upsert_as)
            known = self.sessions[session] = LedgerSession(whole)
        old = known.entries.get(slot)
        newborn = envelope.seq if known.whole else 0  # it may be older than this event
        entry = Entry(envelope, newborn if old is None else old.born)
        self.put(session, slot, entry)
        self._make_room(entry, session, slot)
        if envelope.time_ns >= self._swept_ns + _SWEEP_EVERY_NS:
            self._swept_ns = envelope.time_ns
            self._sweep(envelope.time_ns - self._rest_ns)

    def _end(self, envelope: Envelope, session: str, slot: Slot) -> None:
        """Remove an entity. It may come back and be removed again: its first birth counts."""
        older = self.tombstones.take(session, slot)
        entry = self._drop(session, slot)
        self.tombstones.drop_below(session, slot)
        born = min((one.born for one in (entry, older) if one is not None), default=0)
        forgotten = self.tombstones.put(session, slot, Tombstone(envelope, born))
        if forgotten is not None:
            self.floor = max(self.floor, forgotten.seq(self.epoch))

    def _drop(self, session_id: str, slot: Slot) -> Entry | None:
        """Remove an entity and all entities that it owns; return its entry."""
        session = self.sessions.get(session_id)
        if session is None:
            return None
        entry = session.entries.get(slot)
        for one in session.with_owned(slot):
            if (gone := session.entries.pop(one, None)) is not None:
                self.size -= gone.size
        if slot == _WHOLE:
            del self.sessions[session_id]
        return entry

    def _make_room(self, entry: Entry, session: str, slot: Slot) -> None:
        """Keep the bounds; drop the entity itself if it alone takes most of the allowed memory."""
        if self.size <= self.max_bytes * _MOST_OF_ONE:
            return
        if entry.size > self.max_bytes * _MOST_OF_ONE:
            self._forget(session, slot)
        self._shrink()

    def _shrink(self) -> None:
        """Past the bound, drop the least useful entries until 3/4 of the bound are in use."""
        if self.size <= self.max_bytes:
            return
        for victim in self._least_first():
            if self.size <= self.max_bytes * 3 // 4:
                return
            self._forget(*victim)

    def _forget(self, session_id: str, slot: Slot) -> None:
        """Drop an entity that still exists: from now on a reader that lacks it cannot get it here.

        If the entity had come back after a removal, its tombstone is dropped too: without the
        entry, no upsert would follow the removal.
        """
        session = self.sessions.get(session_id)
        if session is None:
            return
        entries = session.entries
        slots = session.with_owned(slot)
        seqs = [entries[one].seq(self.epoch) for one in slots if one in entries]
        self.floor = max([self.floor, *seqs])
        session.whole = False
        self._drop(session_id, slot)
        for one in slots:
            self.tombstones.take(session_id, one)

    def _least_first(self) -> Iterator[tuple[str, Slot]]:
        """Yield sessions at rest, then old messages, then all entities, the largest first."""
        for name, session in list(self.sessions.items()):
            if not session.live:
                yield name, _WHOLE
        for name, session in list(self.sessions.items()):
            for message in session.messages()[:-_KEPT_MESSAGES]:
                yield name, (MESSAGE.name, message)
        entries = [
            (entry.size, name, slot)
            for name, session in self.sessions.items()
            for slot, entry in session.entries.items()
        ]
        for _, name, slot in sorted(entries, reverse=True):
            yield name, slot

    def _sweep(self, before_ns: int) -> None:
        for name, session in list(self.sessions.items()):
            if not session.live and session.last_ns < before_ns:
                self._forget(name, _WHOLE)

    def _renew(self, epoch: str) -> None:
        """Begin a new epoch: every entity is older than the first event of the epoch."""
        self.epoch, self.seq, self.floor = epoch, 0, 0
        self.tombstones.renew()
        for session in self.sessions.values():
            for entry in session.entries.values():
                entry.born = 0
