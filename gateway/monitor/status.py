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
    """A reader's filter; long names are shortened.

    Attributes:
        more_sessions: how many sessions the filter has besides ``sessions``.
    """

    directory: str | None
    workspace: str | None
    sessions: list[str]
    more_sessions: int
    keep_superseded: bool


class Lag(Struct, frozen=True):
    """What the log contains after a reader's position.

    Attributes:
        events: how many, before the reader's filter.
        bytes: of their text.
        ms: how long ago the first of them was published.
        fell_off: the log has dropped some of them.
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
        client: the client's ``User-Agent``, shortened.
        stalled_s: for how long it has accepted none of the bytes that wait.
        resumed: it continues exactly where another stream was cut; None while this is not known.
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
    """The state of a source at a worker, and the worker's counters of the source.

    Attributes:
        heartbeat_age_s: since its last frame; a batch of events counts as a heartbeat.
    """

    worker: int
    source: str
    epoch: str
    seq: int
    heartbeat_age_s: float


class Fill(Struct, frozen=True):
    """How much of a bounded store is used; a full log is normal.

    Attributes:
        fill: share of its bound in bytes, or in entries if that share is larger.
    """

    entries: int
    bytes: int
    max_bytes: int
    fill: float


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """One worker.

    Attributes:
        worker: its seat, which its successor gets too.
        loop_lag_s: the longest recent wait for its event loop.
        memory_bytes: its resident set; 0 if unknown.
        ledger: all ledgers together.
        counts: since its start.
        in_flight: requests that its proxy is serving.
        websockets: open ones, which its proxy passes on.
        readers: open streams.
        agent_bytes: of agents' lines that are not acknowledged yet.
        origins: origins that the upstream allows, as far as this worker knows.
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
    websockets: int = 0
    readers: int
    agent_bytes: int = 0
    origins: list[str] = []
    sources: list[SourceStatus]
    laggards: list[ReaderStatus]


class Post(Struct, frozen=True):
    """What a worker posts on the scoreboard every `BEAT_S`.

    Attributes:
        beat: `time.monotonic()` of the post; all processes of a machine share this clock.
        carried: the counters of earlier workers at the seat.
    """

    beat: float
    status: WorkerStatus
    carried: Counts

    def overdue_s(self, now: float) -> float:
        """Return for how long the next post is overdue (s); negative before its time."""
        return now - self.beat - BEAT_S


def filter_of(view: View) -> Filter:
    """Return the filter of a view, with bounded size."""
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
