"""What a reader is sent when its stream begins or continues, and its position after that."""

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
    """How the ``Last-Event-ID`` of a reader was understood.

    Attributes:
        FRESH: the reader sent no id.
        EXACT: the stream continues exactly after the id.
        CAUGHT_UP: the reader gets the present values of all entities that changed since the id.
        TOO_OLD: as `CAUGHT_UP`, but some entities that changed may be missing, since the ledger
            (of present values) is bounded and has dropped some entities since the id.
        FOREIGN: the id does not name the present epoch (start) of a processor, or is from another
            server; the reader gets the present values of all entities.
        MALFORMED: the text is no event id.
        AHEAD: this worker did not reach the position in time.
    """

    FRESH = "fresh"
    EXACT = "exact"
    CAUGHT_UP = "caught_up"
    TOO_OLD = "too_old"
    FOREIGN = "foreign"
    MALFORMED = "malformed"
    AHEAD = "ahead"


class Entrance(Struct, frozen=True):
    """What a reader is sent when its stream begins or continues, and its position after that.

    Attributes:
        verdict: how the reader's last id was understood.
        cursor: the reader's position after `rest` and `upserts`.
        id: event id of the ``server.connected`` frame, which comes first; empty if upserts follow.
        rest: the events of a run that were not delivered before the stream was cut, as frames;
            each frame is a list of byte strings.
        upserts: the present values of entities.
        unsure_id: event id of all upserts but the last. A reader that comes back with it gets all
            upserts again.
        sure_id: event id of the last upsert, which means the position `cursor`.
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
        """Yield the bytes to write, encoding each upsert only when the reader can take it."""
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
        """Yield frames; a long frame in pieces, so that a slow reader costs little memory."""
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
