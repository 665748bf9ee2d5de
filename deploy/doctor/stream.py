"""Checks the event stream: it opens, it has heartbeats, and no proxy delays it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from msgspec import Struct

from bus.events.catalogue import SERVER_CONNECTED, SERVER_HEARTBEAT
from deploy.doctor.between import SEND_AT_ONCE, signs_of
from deploy.doctor.finding import Finding, duration, fail, ok, warn
from deploy.doctor.identity import Unfit
from deploy.doctor.patient import Patient, PatientAnswer
from deploy.doctor.timeline import Arrival, Timeline

STREAM = "/event"
# As a browser sends them, so that a proxy that compresses is noticed.
HEADERS = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, deflate"}
_LATE_S = 1.0
_TOGETHER_S = 0.25
_LATE_BEAT = 1.5
_WAIT_LONGER = (
    "a proxy in between has to wait for longer than the time between two heartbeats (in nginx "
    "`proxy_read_timeout`); if there is none, read the server's log"
)


class ExpectedPace(Struct, frozen=True):
    """The expected times of a stream.

    Attributes:
        heartbeat_s: the time between two heartbeats.
        timeout_s: how long the first event may take.
        hold_s: how long a request is kept open to see whether a proxy ends it.
    """

    heartbeat_s: float
    timeout_s: float
    hold_s: int

    @property
    def patience_s(self) -> float:
        """How long to wait for a heartbeat."""
        return 2 * self.heartbeat_s + 2


def check_head(answer: PatientAnswer) -> Finding:
    """Check that the answer is an event stream.

    Raises:
        Unfit: it is not; the connection is closed.
    """
    said = f"{answer.status} ({answer.kind})"
    if answer.status == 200 and answer.kind == "text/event-stream":
        return ok("stream", f"{STREAM} opens in {duration(answer.head_s)}")
    answer.close()
    remedy = "all streams of --max-readers are in use" if answer.status == 503 else ""
    raise Unfit(fail("stream", f"{STREAM} answers {said} instead of an event stream", remedy))


def check_first(timeline: Timeline, pace: ExpectedPace, answer: PatientAnswer) -> Finding:
    """Check that the stream begins with ``server.connected`` at once.

    Raises:
        Unfit: no event comes.
    """
    first = timeline.wait(by_s=pace.timeout_s)
    if first is not None:
        return _greeting(first, answer)
    if timeline.ended:
        raise Unfit(fail("first", f"no event comes: {timeline.ended}", "read the server's log"))
    # A proxy that waits until its buffer is full may send the buffer after a few heartbeats.
    first = timeline.wait(by_s=pace.patience_s)
    if first is not None:
        words = f"the first event is held back for {duration(first.at_s)}"
        raise Unfit(fail("buffering", words, SEND_AT_ONCE))
    signs = signs_of(answer)
    words = f"the stream opens, but no event comes for {duration(pace.patience_s)}"
    if signs:
        raise Unfit(
            fail("buffering", f"{words}, and a proxy is in between ({signs})", SEND_AT_ONCE)
        )
    remedy = f"the server's loop stands still, or a proxy holds it back; for that, {SEND_AT_ONCE}"
    raise Unfit(fail("first", words, remedy))


def _greeting(first: Arrival, answer: PatientAnswer) -> Finding:
    if first.type != SERVER_CONNECTED:
        return warn("first", f"the first event is {first.type}, not server.connected")
    took_s = answer.head_s + first.at_s
    if took_s > _LATE_S:
        words = f"server.connected takes {duration(took_s)}"
        return warn("first", words, "look at the server's load, and for a proxy in between")
    return ok("first", f"server.connected after {duration(took_s)}")


def check_heartbeat(timeline: Timeline, pace: ExpectedPace) -> Finding:
    """Check that the stream has heartbeats, each at its time."""
    beat = timeline.wait(SERVER_HEARTBEAT, by_s=pace.patience_s)
    expected = f"one is due every {duration(pace.heartbeat_s)}"
    if timeline.ended:
        return fail("heartbeat", f"the stream does not stay open: {timeline.ended}", _WAIT_LONGER)
    if beat is None:
        return _no_heartbeat(timeline, pace, expected)
    if _bunched(timeline):
        words = "events that are due seconds apart arrive together"
        return fail("buffering", words, SEND_AT_ONCE)
    if beat.at_s > _LATE_BEAT * pace.heartbeat_s:
        words = f"the first comes after {duration(beat.at_s)}, and {expected}"
        return warn("heartbeat", words, "give the server's --heartbeat-ms to doctor too")
    return ok("heartbeat", f"after {duration(beat.at_s)}")


def _no_heartbeat(timeline: Timeline, pace: ExpectedPace, expected: str) -> Finding:
    others = len(timeline.arrivals) - 1
    if others > 0:
        return warn("heartbeat", f"none, but {others} other events: the stream is busy")
    remedy = (
        "if the server has a --heartbeat-ms of its own, give it to doctor; else look for a proxy "
        "in between that holds the stream back, and read the server's log"
    )
    return fail("heartbeat", f"none within {duration(pace.patience_s)}, and {expected}", remedy)


def _bunched(timeline: Timeline) -> bool:
    """Return whether a heartbeat came together with the first event, or with another heartbeat."""
    signs = (SERVER_CONNECTED, SERVER_HEARTBEAT)
    times = [one.at_s for one in timeline.arrivals if one.type in signs]
    return any(later - sooner < _TOGETHER_S for sooner, later in pairwise(times))


def open_stream(
    patient: Patient, signs: str, headers: Mapping[str, str] = {}, query: str = ""
) -> PatientAnswer:
    """Request the stream; raises the errors of `Patient.get`.

    Args:
        patient: the server.
        signs: of a proxy, empty if there are none.
        headers: more headers to send.
        query: with its question mark.

    Raises:
        Unfit: other routes answer, and this route does not.
    """
    try:
        return patient.get(STREAM + query, {**HEADERS, **headers})
    except TimeoutError:
        words = f"{STREAM} does not open within {duration(patient.timeout_s)}; health answers"
        if signs:
            words = f"{words}, and a proxy is in between ({signs})"
            raise Unfit(fail("buffering", words, SEND_AT_ONCE)) from None
        remedy = f"if a proxy is in between, {SEND_AT_ONCE}; else read the server's log"
        raise Unfit(fail("stream", words, remedy)) from None
