"""Checks whether a client whose stream was cut gets the events that it has missed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from urllib.parse import quote

from bus.events.catalogue import SERVER_CONNECTED
from deploy.doctor.examined_server import ExaminedServer
from deploy.doctor.finding import Finding, fail, ok, warn
from deploy.doctor.identity import ExaminationStopped
from deploy.doctor.stream import check_head, open_stream
from deploy.doctor.timeline import Arrival, Timeline

_WHAT = "resume"


def check_resume(server: ExaminedServer, last_event_id: str, weir: bool, proxy: str) -> Finding:
    """Request the stream again from a given event on, like a client whose stream was cut.

    Args:
        server: the server under examination.
        last_event_id: the id of the last event of the earlier stream; empty if it had no id.
        weir: whether the server is weir.
        proxy: the headers that a proxy has added; empty if there are none.
    """
    if not last_event_id and weir:
        words = "not checked: the server has published no event yet, so there is nothing to resume"
        return ok(_WHAT, words)
    if not last_event_id:
        words = (
            "not supported: events have no id, so a client misses the events that are published "
            "while its connection is cut"
        )
        return warn(_WHAT, words, "put weir in front of this server")
    try:
        first = _first(server, proxy, headers={"Last-Event-ID": last_event_id})
        if first is not None and first.properties.get("resumed") is False:
            return _not_resumed(server, last_event_id, proxy)
    except ExaminationStopped as refused:
        words = f"the server does not open a stream that is to be resumed: {refused}"
        return fail(_WHAT, words, refused.finding.remedy)
    if first is None:
        words = "after a reconnection, the stream does not begin with server.connected"
        return fail(_WHAT, words, "read the server's log")
    if first.properties.get("resumed") is True:
        return ok(_WHAT, "after a reconnection, the stream continues where it was cut")
    words = (
        "not supported: after a reconnection, the event server.connected does not say whether the "
        "stream was resumed"
    )
    return warn(_WHAT, words)


def _first(
    server: ExaminedServer, proxy: str, headers: Mapping[str, str] = {}, query: str = ""
) -> Arrival | None:
    """Request the stream again, and return its event `server.connected`; None if none comes."""
    answer = open_stream(server, proxy, headers, query)
    check_head(answer)
    with closing(Timeline(answer)) as timeline:
        return timeline.wait(SERVER_CONNECTED, by_s=server.timeout_s)


def _not_resumed(server: ExaminedServer, last_event_id: str, proxy: str) -> Finding:
    """Return why the server has not resumed the stream.

    If the server resumes it with the query ``?since=ID`` instead of the header `Last-Event-ID`, a
    proxy has removed the header.
    """
    first = None
    with suppress(ExaminationStopped):
        first = _first(server, proxy, query=f"?since={quote(last_event_id)}")
    if first is not None and first.properties.get("resumed") is True:
        words = (
            "the stream is resumed with the query ?since=ID, but not with the header "
            "Last-Event-ID: a proxy removes the header"
        )
        return fail(_WHAT, words, "have the proxy in between pass Last-Event-ID on")
    return fail(
        _WHAT,
        "after a reconnection, the stream does not continue after a recent event: a client gets "
        "the present state instead of the events that it has missed",
        "run doctor again, because a server that has just restarted cannot resume; if it fails "
        "again, the server's event log is too small for its load",
    )
