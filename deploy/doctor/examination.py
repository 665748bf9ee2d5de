"""Runs all checks of `weir doctor`, in an order in which a check can rely on earlier checks."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing

from deploy.doctor.examined_server import CLIENT_ERRORS, ExaminedServer
from deploy.doctor.finding import Finding, duration, ok
from deploy.doctor.identity import (
    HEALTH,
    ExaminationStopped,
    check_health,
    check_kind,
    check_login,
    check_ready,
)
from deploy.doctor.proxies import check_proxies, proxy_headers
from deploy.doctor.proxy_limits import HeldRequest, check_bodies, check_browsers
from deploy.doctor.reach import unreachable
from deploy.doctor.resume import check_resume
from deploy.doctor.stream import (
    ExpectedPace,
    check_first,
    check_head,
    check_heartbeat,
    open_stream,
)
from deploy.doctor.timeline import Timeline


def examine(server: ExaminedServer, pace: ExpectedPace) -> Iterator[Finding]:
    """Run all checks, and yield each finding as soon as its check has ended."""
    try:
        weir, proxy = yield from _server(server)
        yield from _stream(server, pace, weir, proxy)
    except ExaminationStopped as stopped:
        yield stopped.finding
    except CLIENT_ERRORS as error:
        yield unreachable(error, server)


def _server(server: ExaminedServer) -> Generator[Finding, None, tuple[bool, str]]:
    answer, health = server.json(HEALTH)
    yield ok("reach", f"{server.origin} answers after {duration(answer.head_s)}")
    yield check_login(server, answer)
    kind, weir = check_kind(server, answer, health)
    yield kind
    yield check_health(server)
    if weir:
        yield from check_ready(server)
    return weir, proxy_headers(answer)


def _stream(
    server: ExaminedServer, pace: ExpectedPace, weir: bool, proxy: str
) -> Iterator[Finding]:
    """Check the event stream, and at the same time whether a proxy cuts a request that waits."""
    held = None
    if weir:
        yield from check_bodies(server)
        if proxy or not server.origin.is_local:
            held = HeldRequest(server, pace.hold_s)
    yield from check_browsers(server)
    yield from _events(server, pace, weir, proxy)
    if held is not None:
        yield from held.findings()


def _events(
    server: ExaminedServer, pace: ExpectedPace, weir: bool, proxy: str
) -> Iterator[Finding]:
    answer = open_stream(server, proxy)
    yield check_head(answer)
    with closing(Timeline(answer)) as timeline:
        yield from check_proxies(answer, weir)
        yield check_first(timeline, pace, answer)
        yield check_heartbeat(timeline, pace)
        last = timeline.arrivals[-1]
    yield check_resume(server, last.id, weir, proxy)
