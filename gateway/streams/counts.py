"""What a worker counts. Counts only grow, and those of several workers add up."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from bus.transport.source_state import SourceCounts
from gateway.relay import Step

By = dict[str, int]
"""A count for each cause, verdict or class."""


class Sent(Struct):
    """What readers were sent. ``events`` is ``merged`` and ``superseded`` and one for each frame.

    Attributes:
        events: of sources, that they were due.
        frames: written, with an event of a source each.
        own_frames: written, of weir itself: connected, heartbeat.
        upserts: frames written that say what is, to readers who had missed how it came.
        bytes: of all frames.
        merged: events that went into the frame of another one.
        superseded: events left out, since a later snapshot stands for them.
        saved_bytes: what frames of the merged and the superseded would have taken, about.
    """

    events: int = 0
    frames: int = 0
    own_frames: int = 0
    upserts: int = 0
    bytes: int = 0
    merged: int = 0
    superseded: int = 0
    saved_bytes: int = 0

    def step(self, step: Step, times: int = 1) -> None:
        """Count what a step has written, to so many readers."""
        self.events += (step.events + step.merged + step.superseded) * times
        self.frames += step.events * times
        self.bytes += step.size * times
        self.merged += step.merged * times
        self.superseded += step.superseded * times
        self.saved_bytes += step.saved_bytes * times

    def entrance(self, frames: int, upserts: int, size: int) -> None:
        """Count what a stream began with: frames of events, upserts, and all their bytes."""
        self.events += frames
        self.frames += frames
        self.upserts += upserts
        self.bytes += size

    def own(self, size: int, frames: int = 1) -> None:
        """Count frames of weir itself, of so many bytes together."""
        self.own_frames += frames
        self.bytes += size

    def __add__(self, other: Sent) -> Sent:
        added: Sent = _sum(self, other)
        return added

    def __sub__(self, other: Sent) -> Sent:
        names = self.__struct_fields__
        return Sent(*(getattr(self, name) - getattr(other, name) for name in names))


class Counts(Struct):
    """All that a worker has counted.

    Attributes:
        received: events that came over the bus.
        malformed: frames of the bus that could not be read.
        streams: opened so far.
        sent: over all streams, those that have ended included.
        sources: what is counted of each.
        evictions: streams that ended, by cause.
        resumes: streams that came in, by what became of the last id they had seen.
        catch_ups: readers that had fallen off the log, likewise.
        requests: proxied and over, by the class of their status (``2xx``), or ``none``.
        unknown_routes: requests for routes that weir does not have, by method and template.
        agent_lines: lines of agents that were acknowledged, the refused included.
        agent_refused: those that were refused, by reason.
    """

    received: int = 0
    malformed: int = 0
    streams: int = 0
    sent: Sent = field(default_factory=Sent)
    sources: dict[str, SourceCounts] = {}
    evictions: By = {}
    resumes: By = {}
    catch_ups: By = {}
    requests: By = {}
    unknown_routes: By = {}
    agent_lines: int = 0
    agent_refused: By = {}

    def __add__(self, other: Counts) -> Counts:
        added: Counts = _sum(self, other)
        return added


def _sum(one: Any, two: Any) -> Any:
    if isinstance(one, Struct):
        names = one.__struct_fields__
        return type(one)(**{name: _sum(getattr(one, name), getattr(two, name)) for name in names})
    if isinstance(one, dict):
        return one | two | {key: _sum(one[key], two[key]) for key in one.keys() & two.keys()}
    return one + two
