"""Checks whether a stream can be resumed after a cut."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from urllib.parse import quote

from bus.events.catalogue import SERVER_CONNECTED
from deploy.doctor.finding import Finding, fail, ok, warn
from deploy.doctor.identity import Unfit
from deploy.doctor.patient import Patient
from deploy.doctor.stream import check_head, open_stream
from deploy.doctor.timeline import Arrival, Timeline

_WHAT = "resume"


def check_resume(patient: Patient, last_event_id: str, weir: bool, signs: str) -> Finding:
    """Reconnect after an event, like a client whose connection was cut.

    Args:
        patient: the server.
        last_event_id: of this event, empty if it has none.
        weir: the server is weir.
        signs: of a proxy, empty if there are none.
    """
    if not last_event_id and weir:
        return ok(_WHAT, "not checked: there is no event yet to resume after")
    if not last_event_id:
        words = "not supported: events have no id, so a cut loses events"
        return warn(_WHAT, words, "put weir in front of it")
    try:
        first = _first(patient, signs, headers={"Last-Event-ID": last_event_id})
        if first is not None and first.properties.get("resumed") is False:
            return _not_resumed(patient, last_event_id, signs)
    except Unfit as refused:
        return fail(_WHAT, f"refused: {refused}", refused.finding.remedy)
    if first is None:
        return fail(_WHAT, "no server.connected after the reconnection")
    if first.properties.get("resumed") is True:
        return ok(_WHAT, "continues where it was cut")
    return warn(_WHAT, "not supported: the server does not say whether the stream was resumed")


def _first(
    patient: Patient, signs: str, headers: Mapping[str, str] = {}, query: str = ""
) -> Arrival | None:
    """Return the server's first event after a reconnection, None if there is none."""
    answer = open_stream(patient, signs, headers, query)
    check_head(answer)
    with closing(Timeline(answer)) as timeline:
        return timeline.wait(SERVER_CONNECTED, by_s=patient.timeout_s)


def _not_resumed(patient: Patient, last_event_id: str, signs: str) -> Finding:
    """Find out why: if ``?since=`` works and the header does not, a proxy removes the header."""
    first = None
    with suppress(Unfit):
        first = _first(patient, signs, query=f"?since={quote(last_event_id)}")
    if first is not None and first.properties.get("resumed") is True:
        words = "continues after ?since=ID, but the header Last-Event-ID does not arrive"
        return fail(_WHAT, words, "have the proxy in between pass Last-Event-ID on")
    return fail(
        _WHAT,
        "does not continue after a recent event; readers get the present state instead",
        "the server has restarted just now, or its log is too small for its load",
    )
