"""The metrics of a gateway at `/metrics`, by the conventions of Prometheus.

Counters are sums over all workers, including workers that have ended, so they never decrease. Only
figures whose sum would be meaningless have a label ``worker``: the number of the worker, which the
worker that replaces it also gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gateway.monitor.checkup import ProcessorStatus
from gateway.monitor.exposition import Family, by, counter, gauge
from gateway.monitor.readiness import frame_age
from gateway.monitor.status import Post
from gateway.monitor.survey import Survey
from gateway.streams.counts import Counts


def families(survey: Survey) -> Iterator[Family]:
    """Yield all metrics of the gateway, with the values of `survey`."""
    posts, counts, health = survey.posts, survey.counts, survey.health
    yield gauge("weir_build_info", "The version of weir.", [({"version": survey.version}, 1)])
    yield gauge("weir_ready", "Whether /weir/readyz answers 200.", int(health.ready))
    yield from _streams(posts, counts)
    yield from _sources(posts, counts)
    yield from _processors(health.processors)
    yield from _agents(health.processors, posts, counts)
    yield from _workers(survey)
    yield counter(
        "weir_proxy_requests_total",
        "Requests passed on to the upstream, by the class of their status.",
        by("status", counts.requests),
    )
    yield counter(
        "weir_unknown_routes_total",
        "Requests for routes that weir does not have, by method and template.",
        by("route", counts.unknown_routes),
    )
    in_flight = sum(post.status.in_flight for post in posts)
    help_text = "Requests that are being passed on to the upstream."
    yield gauge("weir_proxy_requests_in_flight", help_text, in_flight)
    open_ones = sum(post.status.websockets for post in posts)
    yield gauge("weir_proxy_websockets", "Open WebSockets to the upstream.", open_ones)
    yield counter(
        "weir_proxy_websockets_closed_total",
        "WebSockets that have ended, by what ended them.",
        by("by", counts.websockets),
    )


def _streams(posts: list[Post], counts: Counts) -> Iterator[Family]:
    sent = counts.sent
    yield gauge("weir_readers", "Open event streams.", sum(post.status.readers for post in posts))
    for name, help_text, value in (
        ("streams_opened", "Event streams opened.", counts.streams),
        (
            "stream_events",
            "Events that readers' filters admitted: sent in frames, merged, or superseded.",
            sent.events,
        ),
        ("stream_frames", "SSE frames sent with events of processors.", sent.frames),
        ("stream_own_frames", "SSE frames of weir itself, like heartbeats.", sent.own_frames),
        ("stream_upserts", "SSE frames with an entity's present value.", sent.upserts),
        ("stream_bytes", "Bytes of all SSE frames sent.", sent.bytes),
        ("stream_merged_events", "Events merged into the frame of another event.", sent.merged),
        (
            "stream_superseded_events",
            "Events left out, since a later snapshot contains them.",
            sent.superseded,
        ),
        (
            "stream_saved_bytes",
            "Bytes saved by merging and leaving out, estimated.",
            sent.saved_bytes,
        ),
    ):
        yield counter(f"weir_{name}_total", help_text, value)
    for name, help_text, label, values in (
        ("evictions", "Event streams that ended, by cause.", "cause", counts.evictions),
        ("resumes", "Event streams opened, by their Last-Event-ID.", "verdict", counts.resumes),
        (
            "catch_ups",
            "Streams that went on after the log had dropped their position, by how.",
            "verdict",
            counts.catch_ups,
        ),
    ):
        yield counter(f"weir_{name}_total", help_text, by(label, values))


def _sources(posts: list[Post], counts: Counts) -> Iterator[Family]:
    received = [(_seat(post), (post.status.counts + post.carried).received) for post in posts]
    yield counter("weir_events_received_total", "Events that came from processors.", received)
    yield counter(
        "weir_malformed_frames_total", "Malformed messages on the bus.", counts.malformed
    )
    for name, help_text, field in (
        ("gaps", "How often events were missing on the bus.", "gaps"),
        ("events_repaired", "Missing events that were repaired by a replay.", "repaired"),
        ("events_lost", "Missing events that could not be repaired.", "lost"),
        ("snapshots", "Snapshots taken in place of missing events.", "snapshots"),
    ):
        values = {source: getattr(counted, field) for source, counted in counts.sources.items()}
        yield counter(f"weir_{name}_total", help_text, by("source", values))
    restarts = [
        ({**_seat(post), "source": source}, counted.restarts)
        for post in posts
        for source, counted in (post.status.counts + post.carried).sources.items()
    ]
    yield counter("weir_source_restarts_total", "Restarts of a processor, as seen.", restarts)
    ages: dict[str, float] = {}
    for row in (row for post in posts for row in post.status.sources):
        ages[row.source] = max(ages.get(row.source, 0.0), row.heartbeat_age_s)
    yield gauge(
        "weir_heartbeat_age_seconds",
        "Seconds since a processor's last message, at the worker where it is longest ago.",
        by("source", ages),
    )


def _processors(processors: list[ProcessorStatus]) -> Iterator[Family]:
    answering = {one.bus: int(one.answering) for one in processors}
    yield gauge(
        "weir_processor_answering", "Whether a processor takes commands.", by("bus", answering)
    )
    connected: dict[str, float] = {}
    ages: dict[str, float] = {}
    for one in processors:
        if one.upstream is None:
            continue
        connected[one.bus] = int(one.upstream.get("connected") is True)
        age_s = frame_age(one.upstream, one.age_s or 0.0)
        if age_s is not None:
            ages[one.bus] = age_s
    if connected:
        open_streams = by("bus", connected)
        help_text = "Whether the processor reads the upstream's event stream."
        yield gauge("weir_upstream_connected", help_text, open_streams)
        yield gauge(
            "weir_upstream_frame_age_seconds",
            "Seconds since the upstream has sent an event or a heartbeat.",
            by("bus", ages),
        )


def _agents(
    processors: list[ProcessorStatus], posts: list[Post], counts: Counts
) -> Iterator[Family]:
    found = {one.bus: one.agents for one in processors if one.agents is not None}
    connected = {bus: figures.connected for bus, figures in found.items()}
    yield gauge(
        "weir_agents_connected", "The user's own agents that are connected.", by("bus", connected)
    )
    turns = {bus: figures.turns for bus, figures in found.items()}
    yield gauge("weir_agent_turns", "Turns that agents are running.", by("bus", turns))
    yield counter(
        "weir_agent_lines_total", "Lines from agents that were acknowledged.", counts.agent_lines
    )
    yield counter(
        "weir_agent_lines_refused_total",
        "Lines from agents that were refused, by reason.",
        by("reason", counts.agent_refused),
    )
    yield gauge(
        "weir_agent_unacknowledged_bytes",
        "Bytes of lines from agents that were read, but are not acknowledged yet.",
        sum(post.status.agent_bytes for post in posts),
    )


def _workers(survey: Survey) -> Iterator[Family]:
    posts = survey.posts
    yield gauge("weir_workers", "Gateway workers that are running.", len(posts))
    ages = [(_seat(post), survey.age_s(post)) for post in posts]
    yield gauge(
        "weir_worker_age_seconds", "Seconds since the worker last reported its figures.", ages
    )
    lags = [(_seat(post), post.status.loop_lag_s) for post in posts]
    yield gauge("weir_loop_lag_seconds", "The longest recent delay of the event loop.", lags)
    uptimes = [(_seat(post), post.status.uptime_s) for post in posts]
    yield gauge("weir_worker_uptime_seconds", "Seconds since the worker started.", uptimes)
    for store, named in (("log", "log of events"), ("ledger", "ledger of present values")):
        for what, unit in (("entries", "Entries held"), ("bytes", "Bytes held")):
            yield _fill(posts, store, what, f"weir_{store}_{what}", f"{unit} in the {named}.")
        yield _fill(
            posts, store, "fill", f"weir_{store}_fill_ratio", f"Used share of the {named}."
        )


def _fill(posts: Iterable[Post], store: str, field: str, name: str, help_text: str) -> Family:
    values = [(_seat(post), getattr(getattr(post.status, store), field)) for post in posts]
    return gauge(name, help_text, values)


def _seat(post: Post) -> dict[str, str]:
    return {"worker": str(post.status.worker)}
