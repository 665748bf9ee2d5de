"""What a reader is sent first, and its position after that."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from itertools import chain

from msgspec import Struct

from bus.ledger import Upsert
from gateway.relay.frames import PIECE_BYTES, around, frame, id_line, joined
from gateway.relay.relay import Cursor
from gateway.relay.view import Endpoint


class ResumeVerdict(enum.Enum):
    """How a reader's last id was understood."""

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
        verdict: how the reader's last id was understood.
        cursor: the reader's position after this entrance.
        id: of the first frame, which the gateway makes; empty if upserts follow.
        rest: the rest of the run in which the stream was cut, as pieces of frames.
        upserts: the present values of entities.
        unsure_id: the id of all upserts but the last.
        sure_id: the id of the last upsert, which is the id of the cursor.
    """

    verdict: ResumeVerdict
    cursor: Cursor
    id: str = ""
    rest: tuple[list[bytes], ...] = ()
    upserts: tuple[Upsert, ...] = ()
    unsure_id: str = ""
    sure_id: str = ""

    @property
    def resumed(self) -> bool:
        """Whether the stream continues exactly where it was cut."""
        return self.verdict is ResumeVerdict.EXACT

    def pieces(self, endpoint: Endpoint) -> Iterator[bytes]:
        """Yield the pieces to write; each upsert is encoded when its first piece is needed."""
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
        """Yield frames, or pieces of a long frame; a slow reader holds one of them at a time."""
        last = len(self.upserts) - 1
        for number, upsert in enumerate(self.upserts):
            place = self.sure_id if number == last else self.unsure_id
            if not upsert.is_long:
                yield frame(upsert.envelope(), endpoint, place)
                continue
            prefix, suffix = around(upsert.snapshot, endpoint)
            yield [id_line(place), prefix]
            for piece in upsert.json_pieces():
                yield [piece]
            yield [suffix]
