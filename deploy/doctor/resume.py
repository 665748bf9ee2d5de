"""Whether a stream can be taken up again where it was cut."""

from __future__ import annotations

from contextlib import closing

from deploy.doctor.finding import Finding, fail, ok, warn
from deploy.doctor.identity import Unfit
from deploy.doctor.patient import Patient
from deploy.doctor.stream import check_head, open_stream
from deploy.doctor.timeline import Timeline

_WHAT = "resume"


def check_resume(patient: Patient, last_event_id: str, weir: bool) -> Finding:
    """Reconnect after an event, as a client does whose connection was cut."""
    if not last_event_id and weir:
        return ok(_WHAT, "not tried: nothing has happened yet that there was to go on after")
    if not last_event_id:
        words = "not supported: events have no id, so that a cut loses some"
        return warn(_WHAT, words, "put weir in front of it")
    try:
        answer = open_stream(patient, last_event_id)
        check_head(answer)
    except Unfit as refused:
        return fail(_WHAT, f"refused: {refused}", refused.finding.remedy)
    with closing(Timeline(answer)) as timeline:
        first = timeline.wait("server.connected", by_s=patient.timeout_s)
    if first is None:
        return fail(_WHAT, "no server.connected after the reconnection")
    resumed = first.properties.get("resumed")
    if resumed is True:
        return ok(_WHAT, "goes on where it was cut")
    if resumed is False:
        return fail(
            _WHAT,
            "does not go on after an event of a moment ago; readers are caught up instead",
            "the server has restarted just now, or its log is too small for its load",
        )
    return warn(_WHAT, "not supported: the server does not say whether it goes on after an event")
