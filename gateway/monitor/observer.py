"""Collects the status of this worker: event streams, processors, log, event loop and counters."""

from __future__ import annotations

import os
import time
from collections.abc import Collection

from msgspec import convert
from msgspec.structs import asdict

from bus.ledger import Ledger
from bus.log import Log
from bus.transport.source_state import SourceCounts, SourceState
from gateway.bus_feeds import Feeds
from gateway.monitor.agent_counts import AgentCounts
from gateway.monitor.loop_lag import LoopLag
from gateway.monitor.resident_set import resident_bytes
from gateway.monitor.status import Fill, Lag, ReaderStatus, SourceStatus, WorkerStatus, filter_of
from gateway.proxy.origins import UpstreamOrigins
from gateway.proxy.proxy import Proxy
from gateway.streams.counts import Counts
from gateway.streams.reader import Reader
from gateway.streams.readers import Readers
from gateway.unknown_routes import UnknownRoutes

MAX_LAGGARDS = 100
MAX_ORIGINS = 32
_NS_PER_MS = 1_000_000


class Observer:
    """Collects the status of one worker.

    Args:
        seat: the number of this worker.
        readers: the open event streams.
        feeds: the connections to the processors.
        lag: measures how late the event loop is.
        proxy: passes requests on to the upstream; None without an upstream.
        unknown: counts requests for routes that weir does not have.
        origins: knows which origins of web pages the upstream allows; None without an upstream.
        agents: counts the lines that agents send; None in front of an opencode.
    """

    def __init__(
        self,
        seat: int,
        readers: Readers,
        feeds: Feeds,
        lag: LoopLag,
        proxy: Proxy | None,
        unknown: UnknownRoutes,
        origins: UpstreamOrigins | None = None,
        agents: AgentCounts | None = None,
    ) -> None:
        self.seat = seat
        self._readers = readers
        self._feeds = feeds
        self._lag = lag
        self._proxy = proxy
        self._unknown = unknown
        self._origins = origins
        self._agents = agents or AgentCounts()
        self._started_at = time.monotonic()

    def look(self) -> WorkerStatus:
        """Return the present status of this worker."""
        return WorkerStatus(
            worker=self.seat,
            pid=os.getpid(),
            uptime_s=_since(self._started_at),
            loop_lag_s=round(self._lag.seconds, 4),
            memory_bytes=resident_bytes(),
            log=fill_of(self._readers.relay.log),
            ledger=fill_of_ledgers(self._readers.relay.ledgers.values()),
            counts=self._counts(),
            in_flight=self._proxy.in_flight if self._proxy else 0,
            websockets=len(self._proxy.tunnels) if self._proxy else 0,
            readers=len(self._readers),
            agent_bytes=self._agents.unacknowledged,
            origins=self._origins.allowed[:MAX_ORIGINS] if self._origins else [],
            sources=self._sources(),
            laggards=self._laggards(),
        )

    def _counts(self) -> Counts:
        readers = self._readers
        return Counts(
            received=readers.received,
            malformed=self._feeds.malformed,
            streams=readers.opened,
            sent=readers.sent,
            sources={name: _counted(state) for name, state in self._feeds.sources.items()},
            evictions=dict(readers.evictions),
            resumes=dict(readers.resumes),
            catch_ups=dict(readers.catch_ups),
            requests=dict(self._proxy.requests) if self._proxy else {},
            websockets=dict(self._proxy.tunnels.closed) if self._proxy else {},
            unknown_routes=dict(self._unknown.counts),
            agent_lines=self._agents.lines,
            agent_refused=dict(self._agents.refused),
        )

    def _sources(self) -> list[SourceStatus]:
        return [
            SourceStatus(
                worker=self.seat,
                source=name,
                epoch=state.epoch,
                seq=state.seq,
                heartbeat_age_s=_since(state.alive_at),
                **asdict(_counted(state)),
            )
            for name, state in self._feeds.sources.items()
        ]

    def _laggards(self) -> list[ReaderStatus]:
        most = self._readers.furthest_back(MAX_LAGGARDS)
        relay_log = self._readers.relay.log
        # Each lag is computed once: many readers are at the same position, at the head of the log
        # or at the border of a segment.
        positions = {reader.position for reader in most}
        lags = {position: lag_at(relay_log, position) for position in positions}
        return [reader_status(self.seat, reader, lags[reader.position]) for reader in most]


def reader_status(seat: int, reader: Reader, lag: Lag) -> ReaderStatus:
    """Return the status of an event stream, as `/weir/readers` shows it."""
    return ReaderStatus(
        id=f"{seat}-{reader.number:x}",
        worker=seat,
        address=reader.client.address,
        client=reader.client.agent,
        endpoint=reader.view.endpoint.value,
        filter=filter_of(reader.view),
        age_s=_since(reader.opened_at),
        sent=reader.sent,
        lag=lag,
        stalled_s=round(reader.stalled_s, 3),
        resumed=reader.resumed,
    )


def lag_at(relay_log: Log, position: int) -> Lag:
    """Return how far a reader at `position` lags behind the head of the log."""
    if position >= relay_log.head:
        return Lag()
    held = relay_log.run(max(position, relay_log.tail)).envelopes
    since_ns = time.time_ns() - held[0].time_ns if held else 0
    return Lag(
        events=relay_log.head - position,
        bytes=relay_log.text_after(position),
        ms=max(0, since_ns // _NS_PER_MS),
        fell_off=position < relay_log.tail,
    )


def fill_of(relay_log: Log) -> Fill:
    """Return how much of the bounds of a log is used."""
    entries = relay_log.head - relay_log.tail
    fill = max(entries / relay_log.max_events, relay_log.size / relay_log.max_bytes)
    return Fill(entries, relay_log.size, relay_log.max_bytes, round(fill, 4))


def fill_of_ledgers(ledgers: Collection[Ledger]) -> Fill:
    """Return how full the fullest ledger is, with the entries and bytes of all ledgers."""
    size, bound = sum(one.size for one in ledgers), sum(one.max_bytes for one in ledgers)
    fill = max((one.size / one.max_bytes for one in ledgers), default=0.0)
    entries = sum(len(session.entries) for one in ledgers for session in one.sessions.values())
    return Fill(entries, size, bound, round(fill, 4))


def _counted(state: SourceState) -> SourceCounts:
    return convert(state, SourceCounts, from_attributes=True)


def _since(monotonic: float) -> float:
    return round(time.monotonic() - monotonic, 3)
