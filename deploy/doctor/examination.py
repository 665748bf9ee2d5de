"""Runs all checks, in an order in which each can rely on the earlier ones."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing

from deploy.doctor.between import check_between, signs_of
from deploy.doctor.finding import Finding, duration, ok
from deploy.doctor.identity import (
    HEALTH,
    Unfit,
    check_health,
    check_kind,
    check_login,
    check_ready,
)
from deploy.doctor.passage import HeldRequest, check_bodies, check_browsers
from deploy.doctor.patient import CLIENT_ERRORS, Patient
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


def examine(patient: Patient, pace: ExpectedPace) -> Iterator[Finding]:
    """Yield the findings of all checks, each as soon as it is made."""
    try:
        weir, signs = yield from _server(patient)
        yield from _stream(patient, pace, weir, signs)
    except Unfit as unfit:
        yield unfit.finding
    except CLIENT_ERRORS as error:
        yield unreachable(error, patient)


def _server(patient: Patient) -> Generator[Finding, None, tuple[bool, str]]:
    answer, health = patient.json(HEALTH)
    yield ok("reach", f"{patient.origin} answers after {duration(answer.head_s)}")
    yield check_login(patient, answer)
    kind, weir = check_kind(patient, answer, health)
    yield kind
    yield check_health(patient)
    if weir:
        yield from check_ready(patient)
    return weir, signs_of(answer)


def _stream(patient: Patient, pace: ExpectedPace, weir: bool, signs: str) -> Iterator[Finding]:
    """Check the stream, and meanwhile whether a request may wait as long as a turn takes."""
    held = None
    if weir:
        yield from check_bodies(patient)
        if signs or not patient.origin.is_local:
            held = HeldRequest(patient, pace.hold_s)
    yield from check_browsers(patient)
    yield from _events(patient, pace, weir, signs)
    if held is not None:
        yield from held.findings()


def _events(patient: Patient, pace: ExpectedPace, weir: bool, signs: str) -> Iterator[Finding]:
    answer = open_stream(patient, signs)
    yield check_head(answer)
    with closing(Timeline(answer)) as timeline:
        yield from check_between(answer, weir)
        yield check_first(timeline, pace, answer)
        yield check_heartbeat(timeline, pace)
        last = timeline.arrivals[-1]
    yield check_resume(patient, last.id, weir, signs)
