"""What a reader is sent first, and its position after that."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from itertools import chain

from msgspec import Struct

from bus.ledger import Upsert
from gateway.relay.frames import PIECE_BYTES, around, frame, id_line, joined
from gateway.relay.mark import event_id
from gateway.relay.relay import Cursor
from gateway.relay.view import Endpoint


class ResumeVerdict(enum.Enum):
    """How a reader's id was understood."""

    FRESH = "fresh"
    EXACT = "exact"
    CAUGHT_UP = "caught_up"
    TOO_OLD = "too_old"
    FOREIGN = "foreign"
    MALFORMED = "malformed"
    AHEAD = "ahead"


class Entrance(Struct, frozen=True):
    """What a reader is sent first, and its position after that.

    Attributes:
        verdict: how the reader's id was understood.
        cursor: the reader's position once all of this is sent.
        id: of the first frame, the gateway's own; none while upserts are to come.
        rest: what is left of the run that the cut fell into, as pieces of frames.
        upserts: the present values of entities.
        unsure_id: id of all upserts but the last; the last has the id of the cursor.
    """

    verdict: ResumeVerdict
    cursor: Cursor
    id: str = ""
    rest: tuple[list[bytes], ...] = ()
    upserts: tuple[Upsert, ...] = ()
    unsure_id: str = ""

    @property
    def resumed(self) -> bool:
        """Whether the stream goes on exactly where it was cut."""
        return self.verdict is ResumeVerdict.EXACT

    def pieces(self, endpoint: Endpoint) -> Iterator[bytes]:
        """Yield what to write, each upsert encoded no sooner than it is asked for."""
        gathered: list[list[bytes]] = []
        size = 0
        for one in chain(self.rest, self._frames(endpoint)):
            gathered.append(one)
            size += sum(map(len, one))
            if size >= PIECE_BYTES:
                yield from joined(gathered)
                gathered, size = [], 0
        yield from joined(gathered)

    def _frames(self, endpoint: Endpoint) -> Iterator[list[bytes]]:
        """Yield frames, or pieces of a long frame, of which a slow reader holds one at a time."""
        last = len(self.upserts) - 1
        for number, upsert in enumerate(self.upserts):
            place = event_id(self.cursor.marks) if number == last else self.unsure_id
            if not upsert.is_long:
                yield frame(upsert.envelope(), endpoint, place)
                continue
            prefix, suffix = around(upsert.snapshot, endpoint)
            yield [id_line(place), prefix]
            for piece in upsert.json_pieces():
                yield [piece]
            yield [suffix]
