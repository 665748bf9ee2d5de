"""Where in the order an event id stands: ``EPOCH:TO`` or ``EPOCH:FROM-TO.K@VIEW`` a source."""

import math
import re
from typing import NamedTuple

_MARK = re.compile(
    r"(?P<epoch>[^:,]+):(?:(?P<sure>\d+)~|\d+-)?(?P<to>\d+)(?:\.(?P<k>\d+)(?:@\w+)?)?"
)


class Place(NamedTuple):
    """By epoch, the end of the run being delivered and how much of it has been."""

    marks: dict[str, tuple[int, float]] = {}

    @classmethod
    def parse(cls, event_id: str) -> "Place":
        """Read an id; an empty one is the place before all.

        Raises:
            ValueError: it is none.
        """
        marks = {}
        for mark in event_id.split(",") if event_id else ():
            match = _MARK.fullmatch(mark)
            if match is None:
                raise ValueError(f"{event_id!r} is not an event id")
            marks[match["epoch"]] = int(match["to"]), float(match["k"] or math.inf)
        return cls(marks)

    def reaches(self, other: "Place") -> bool:
        """Tell whether this is no earlier than `other`, as far as their epochs can be compared.

        An epoch that is no longer named is over.
        """
        shared = self.marks.keys() & other.marks.keys()
        return all(self.marks[epoch] >= other.marks[epoch] for epoch in shared)

    def is_beyond(self, other: "Place") -> bool:
        """Tell whether this is later than `other` in some source."""
        return any(mark > other.marks.get(epoch, (-1, 0)) for epoch, mark in self.marks.items())
