"""A worker's status, as `/weir/status` shows it."""

from __future__ import annotations

from msgspec import Struct

from bus.transport.source_state import SourceCounts
from gateway.relay import View
from gateway.streams.counts import Counts, Sent

BEAT_S = 1.0
_SHOWN_TEXT = 200
_SHOWN_SESSIONS = 10


class Filter(Struct, frozen=True):
    """What a reader asked for, long names cut.

    Attributes:
        more_sessions: how many it asked for besides ``sessions``.
    """

    directory: str | None
    workspace: str | None
    sessions: list[str]
    more_sessions: int
    keep_superseded: bool


class Lag(Struct, frozen=True):
    """What the log holds beyond a reader.

    Attributes:
        events: how many, before its filter.
        bytes: of their text.
        ms: how long ago the first of them was published.
        fell_off: the log does not hold all of it any more.
    """

    events: int = 0
    bytes: int = 0
    ms: int = 0
    fell_off: bool = False


class ReaderStatus(Struct, frozen=True, kw_only=True):
    """One open stream.

    Attributes:
        id: of the reader, for `DELETE /weir/readers/{id}`.
        address: of its client.
        client: the client's ``User-Agent``, cut.
        stalled_s: for how long it has accepted no byte of what waits for it.
        resumed: it goes on exactly where another stream was cut; None while it is not known.
    """

    id: str
    worker: int
    address: str
    client: str
    endpoint: str
    filter: Filter
    age_s: float
    sent: Sent
    lag: Lag
    stalled_s: float
    resumed: bool | None


class SourceStatus(SourceCounts, kw_only=True):
    """A source as a worker sees it, and what it has counted of it since its start.

    Attributes:
        heartbeat_age_s: since its last frame; a batch of events counts as a heartbeat.
    """

    worker: int
    source: str
    epoch: str
    seq: int
    heartbeat_age_s: float


class Fill(Struct, frozen=True):
    """How much of a bounded store is used; a log at its bound is full, and well.

    Attributes:
        fill: the part of its bound in bytes, or in entries if that is nearer.
    """

    entries: int
    bytes: int
    max_bytes: int
    fill: float


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """One worker.

    Attributes:
        worker: its seat, which the worker that replaces it gets too.
        loop_lag_s: the longest that anything had to wait for its event loop lately.
        memory_bytes: its resident set; 0 where that is not known.
        ledger: over all sources.
        counts: since its start.
        in_flight: requests that its proxy is serving.
        readers: open streams.
        agent_bytes: of the lines of agents that are not acknowledged yet.
        origins: web pages that the upstream allows, as this worker has learnt.
        laggards: the readers that lag most.
    """

    worker: int
    pid: int
    uptime_s: float
    loop_lag_s: float
    memory_bytes: int = 0
    log: Fill
    ledger: Fill
    counts: Counts
    in_flight: int
    readers: int
    agent_bytes: int = 0
    origins: list[str] = []
    sources: list[SourceStatus]
    laggards: list[ReaderStatus]


class Post(Struct, frozen=True):
    """What a worker puts on the scoreboard every `BEAT_S`.

    Attributes:
        beat: `time.monotonic()` of it, which all processes of a machine share.
        carried: what those counted that had the seat before.
    """

    beat: float
    status: WorkerStatus
    carried: Counts

    def overdue_s(self, now: float) -> float:
        """Return for how long the next one is overdue; less than 0 before its time."""
        return now - self.beat - BEAT_S


def filter_of(view: View) -> Filter:
    """Return the filter of a view, in bounds."""
    shown = sorted(view.sessions)[:_SHOWN_SESSIONS]
    return Filter(
        directory=_cut(view.directory),
        workspace=_cut(view.workspace),
        sessions=[session[:_SHOWN_TEXT] for session in shown],
        more_sessions=len(view.sessions) - len(shown),
        keep_superseded=view.keep_superseded,
    )


def _cut(text: str | None) -> str | None:
    return text if text is None else text[:_SHOWN_TEXT]
