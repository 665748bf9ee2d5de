"""The status of a worker, as `/weir/status` shows it in JSON."""

from __future__ import annotations

from msgspec import Struct

from bus.transport.source_state import SourceCounts
from gateway.relay import View
from gateway.streams.counts import Counts, Sent

BEAT_S = 1.0
_SHOWN_TEXT = 200
_SHOWN_SESSIONS = 10


class Filter(Struct, frozen=True):
    """Which events a reader gets, in a form of bounded size; None or empty means no filter.

    Attributes:
        directory: the folder whose events the reader gets; a long name is cut.
        workspace: the workspace whose events the reader gets; a long name is cut.
        sessions: the first sessions whose events the reader gets.
        more_sessions: how many sessions the filter has besides ``sessions``.
        keep_superseded: the reader also gets deltas that a later snapshot replaces.
    """

    directory: str | None
    workspace: str | None
    sessions: list[str]
    more_sessions: int
    keep_superseded: bool


class Lag(Struct, frozen=True):
    """How far a reader lags: the events after its position in the log, whatever its filter.

    Attributes:
        events: how many events follow.
        bytes: the bytes of text in these events.
        ms: how long ago the first of these events was published.
        fell_off: the log has dropped some of these events.
    """

    events: int = 0
    bytes: int = 0
    ms: int = 0
    fell_off: bool = False


class ReaderStatus(Struct, frozen=True, kw_only=True):
    """One open event stream.

    Attributes:
        id: the id of the stream for `DELETE /weir/readers/{id}`.
        worker: the number of the worker that has the stream.
        address: the address of the client.
        client: the client's ``User-Agent``, shortened.
        endpoint: ``/event`` or ``/global/event``.
        filter: which events the stream gets.
        age_s: how long the stream has been open.
        sent: what was sent so far.
        lag: how far the stream lags behind the latest event.
        stalled_s: for how long bytes have waited and the client has accepted none.
        resumed: the stream continues exactly where another stream was cut; None while this is not
            known.
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
    """What a worker has received from a source (a processor), with its counters for the source.

    Attributes:
        worker: the number of the worker.
        source: the name of the source.
        epoch: the present start of the source.
        seq: the number of the last event from the source, in this epoch.
        heartbeat_age_s: how long ago the last events or heartbeat came from the source.
    """

    worker: int
    source: str
    epoch: str
    seq: int
    heartbeat_age_s: float


class Fill(Struct, frozen=True):
    """How much of a bounded store in memory is used. That a log of events is full is normal.

    Attributes:
        entries: how many entries the store has.
        bytes: how many bytes the entries take.
        max_bytes: how many bytes the entries may take.
        fill: the used share of the bound in bytes, or in entries if that share is larger; 1 is
            full.
    """

    entries: int
    bytes: int
    max_bytes: int
    fill: float


class WorkerStatus(Struct, frozen=True, kw_only=True):
    """The status of one worker.

    Attributes:
        worker: the number of the worker, which the worker that replaces it gets, too.
        pid: the process id.
        uptime_s: how long the worker has been running.
        loop_lag_s: the longest recent delay of its event loop.
        memory_bytes: its resident set; 0 if unknown.
        log: how full the log of events is.
        ledger: how full the ledgers (the present values of sessions, messages and parts) are.
        counts: its counters since its start.
        in_flight: requests that are being passed on to the upstream.
        websockets: open WebSockets to the upstream.
        readers: how many event streams are open.
        agent_bytes: bytes of agents' lines that were read, but are not acknowledged yet.
        origins: origins of web pages that the upstream allows, as far as this worker knows.
        sources: what the worker has received from each processor.
        laggards: the event streams that lag most.
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
    """What a worker writes into the memory of all workers (the scoreboard) every `BEAT_S`.

    Attributes:
        beat: the `time.monotonic()` of the post; all processes of a machine share this clock.
        status: the status of the worker.
        carried: the sums of the counters of all earlier workers with the same number.
    """

    beat: float
    status: WorkerStatus
    carried: Counts

    def overdue_s(self, now: float) -> float:
        """Return how long (s) the worker's next post is overdue; negative if it is not due yet."""
        return now - self.beat - BEAT_S


def filter_of(view: View) -> Filter:
    """Return the filter of a view for the status; long names and lists are cut."""
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
