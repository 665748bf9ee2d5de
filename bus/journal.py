"""The last envelopes a source has published: what a gap is repaired from.

The ZeroMQ guide's Clone pattern: a PUB socket drops at its high-water mark, the gap in seq shows
it, and whoever has the gap asks for a replay of just that.
"""

from __future__ import annotations

from bus.envelope import Envelope

_ENVELOPE_BYTES = 600  # what an envelope takes in memory beside its text
_TRIM_EVENTS = 1024


class Forgotten(LookupError):
    """What is asked for is older than all that the journal still holds."""


class Journal:
    """Envelopes of one epoch, contiguous in seq, the oldest dropped past the bounds.

    Args:
        max_events: how many it holds at the most.
        max_bytes: how many bytes they may take in memory.
    """

    def __init__(self, max_events: int = 100_000, max_bytes: int = 32 * 1024 * 1024) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._envelopes: list[Envelope] = []
        self._start = 0
        self._size = 0

    def append(self, envelope: Envelope) -> None:
        """Add the next envelope."""
        self._envelopes.append(envelope)
        self._size += envelope.event.size + _ENVELOPE_BYTES
        while self._size > self._max_bytes or len(self) > self._max_events:
            oldest = self._envelopes[self._start]
            self._size -= oldest.event.size + _ENVELOPE_BYTES
            self._start += 1
        if self._start >= _TRIM_EVENTS:
            del self._envelopes[: self._start]
            self._start = 0

    def __len__(self) -> int:
        """How many envelopes it holds."""
        return len(self._envelopes) - self._start

    def after(self, seq: int, most_bytes: int) -> list[Envelope]:
        """Return what follows `seq`, until `most_bytes` of text are exceeded.

        Raises:
            Forgotten: the envelope after `seq` is no longer here, or never was.
        """
        if not len(self) or not self._envelopes[self._start].seq <= seq + 1:
            raise Forgotten(f"nothing is known of what follows {seq}")
        found: list[Envelope] = []
        size = 0
        for envelope in self._envelopes[
            self._start + seq + 1 - self._envelopes[self._start].seq :
        ]:
            found.append(envelope)
            size += envelope.event.size
            if size > most_bytes:
                break
        return found
