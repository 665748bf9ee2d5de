"""The counters of a gateway worker. They only grow, and can be added over all workers."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from bus.transport.source_state import SourceCounts
from gateway.relay import Step

By = dict[str, int]
"""Counts by name: of a cause, a verdict, or a class of HTTP status."""


class Sent(Struct):
    """What was sent to readers; ``events`` is ``merged`` + ``superseded`` + ``frames``.

    Attributes:
        events: events of processors that the readers' filters admitted.
        frames: frames with an event of a processor; a frame is one event in ``text/event-stream``.
        own_frames: frames that the gateway itself makes: ``server.connected`` and heartbeats.
        upserts: frames with the present value of an entity (a session, message or part), for
            readers that missed its events.
        bytes: of all frames.
        merged: deltas that were joined to another delta's frame.
        superseded: events that were left out, because a later snapshot replaces them.
        saved_bytes: about how many bytes the frames of merged and superseded events would have
            taken.
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
        """Count the frames of a step, which were written to `times` readers."""
        self.events += (step.events + step.merged + step.superseded) * times
        self.frames += step.events * times
        self.bytes += step.size * times
        self.merged += step.merged * times
        self.superseded += step.superseded * times
        self.saved_bytes += step.saved_bytes * times

    def entrance(self, frames: int, upserts: int, size: int) -> None:
        """Count what a reader was sent first: frames of events, upserts, and the bytes of both."""
        self.events += frames
        self.frames += frames
        self.upserts += upserts
        self.bytes += size

    def own(self, size: int, frames: int = 1) -> None:
        """Count frames of the gateway's own, such as heartbeats, with `size` bytes in all."""
        self.own_frames += frames
        self.bytes += size

    def __add__(self, other: Sent) -> Sent:
        added: Sent = _sum(self, other)
        return added

    def __sub__(self, other: Sent) -> Sent:
        names = self.__struct_fields__
        return Sent(*(getattr(self, name) - getattr(other, name) for name in names))


class Counts(Struct):
    """All counters of a gateway worker.

    Attributes:
        received: events that came over the bus.
        malformed: messages of the bus that could not be decoded.
        streams: event streams opened so far.
        sent: what was sent to all streams, including streams that have ended.
        sources: the counters of each source (processor).
        evictions: ended streams, by cause (`Cause`).
        resumes: opened streams, by how their ``Last-Event-ID`` was understood (`ResumeVerdict`).
        catch_ups: readers whose position the log no longer had, by how they continued.
        requests: finished proxied requests, by the class of their status (``2xx``), or ``none``.
        websockets: ended WebSockets, by what ended them.
        unknown_routes: requests for routes that weir does not have, by method and template.
        agent_lines: answered lines that agents have sent over HTTP, including refused lines.
        agent_refused: refused lines of agents, by reason.
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
    websockets: By = {}
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
