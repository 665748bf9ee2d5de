"""Checks the event stream: whether it opens, has heartbeats, and is not delayed by a proxy."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from msgspec import Struct

from bus.events.catalogue import SERVER_CONNECTED, SERVER_HEARTBEAT
from deploy.doctor.examined_server import ExaminedAnswer, ExaminedServer
from deploy.doctor.finding import Finding, duration, fail, ok, warn
from deploy.doctor.identity import ExaminationStopped
from deploy.doctor.proxies import SEND_AT_ONCE, proxy_headers
from deploy.doctor.timeline import Arrival, Timeline

STREAM = "/event"
# The headers that a browser sends, so that a proxy that compresses streams for browsers is found.
HEADERS = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, deflate"}
_LATE_S = 1.0
_TOGETHER_S = 0.25
_LATE_BEAT = 1.5
_WAIT_LONGER = (
    "if a proxy is in between, have it wait longer than the time between two heartbeats (nginx: "
    "`proxy_read_timeout 1d;`); otherwise read the server's log"
)


class ExpectedPace(Struct, frozen=True):
    """The times that a server without problems keeps, in seconds.

    Attributes:
        heartbeat_s: the time between two heartbeats of an event stream.
        timeout_s: how long the first event of a stream may take.
        hold_s: how long a request waits for its answer, to see whether a proxy cuts it.
    """

    heartbeat_s: float
    timeout_s: float
    hold_s: int

    @property
    def wait_s(self) -> float:
        """How many seconds to wait for a heartbeat before it counts as missing."""
        return 2 * self.heartbeat_s + 2


def check_head(answer: ExaminedAnswer) -> Finding:
    """Check that the answer to the stream's request is an event stream.

    Raises:
        ExaminationStopped: the answer is no event stream; its connection is closed.
    """
    said = f"{answer.status} ({answer.kind})"
    if answer.status == 200 and answer.kind == "text/event-stream":
        return ok("stream", f"{STREAM} opens in {duration(answer.head_s)}")
    answer.close()
    remedy = ""
    if answer.status == 503:
        remedy = (
            "all streams that the server's --max-readers allows are in use: close some of them"
        )
    raise ExaminationStopped(
        fail("stream", f"{STREAM} answers {said} instead of an event stream", remedy)
    )


def check_first(timeline: Timeline, pace: ExpectedPace, answer: ExaminedAnswer) -> Finding:
    """Check that the stream begins with ``server.connected`` at once.

    Raises:
        ExaminationStopped: no event comes.
    """
    first = timeline.wait(by_s=pace.timeout_s)
    if first is not None:
        return _greeting(first, answer)
    if timeline.ended:
        raise ExaminationStopped(
            fail("first", f"no event arrives: {timeline.ended}", "read the server's log")
        )
    # A proxy may hold events back until its buffer is full, which may be the case after a few
    # heartbeats. If an event arrives only then, the finding can name the proxy as the cause.
    first = timeline.wait(by_s=pace.wait_s)
    if first is not None:
        words = f"the first event is held back for {duration(first.at_s)}"
        raise ExaminationStopped(fail("buffering", words, SEND_AT_ONCE))
    proxy = proxy_headers(answer)
    words = f"the stream opens, but no event comes for {duration(pace.wait_s)}"
    if proxy:
        raise ExaminationStopped(
            fail("buffering", f"{words}, and a proxy is in between ({proxy})", SEND_AT_ONCE)
        )
    remedy = (
        f"if a proxy is in between, {SEND_AT_ONCE}; otherwise the server's event loop is blocked: "
        "read the server's log"
    )
    raise ExaminationStopped(fail("first", words, remedy))


def _greeting(first: Arrival, answer: ExaminedAnswer) -> Finding:
    if first.type != SERVER_CONNECTED:
        words = f"the stream begins with the event {first.type} instead of server.connected"
        return warn("first", words, "check that --url names weir or an opencode")
    took_s = answer.head_s + first.at_s
    if took_s > _LATE_S:
        words = f"the first event, server.connected, arrives only after {duration(took_s)}"
        remedy = "check the server's load, and whether a proxy in between delays the stream"
        return warn("first", words, remedy)
    return ok("first", f"the first event, server.connected, arrives after {duration(took_s)}")


def check_heartbeat(timeline: Timeline, pace: ExpectedPace) -> Finding:
    """Check that heartbeats arrive on the stream, and that they arrive on time."""
    beat = timeline.wait(SERVER_HEARTBEAT, by_s=pace.wait_s)
    expected = f"a heartbeat is due every {duration(pace.heartbeat_s)}"
    if timeline.ended:
        return fail("heartbeat", f"the stream does not stay open: {timeline.ended}", _WAIT_LONGER)
    if beat is None:
        return _no_heartbeat(timeline, pace, expected)
    if _bunched(timeline):
        words = "a proxy holds events back: heartbeats that are due seconds apart arrive together"
        return fail("buffering", words, SEND_AT_ONCE)
    if beat.at_s > _LATE_BEAT * pace.heartbeat_s:
        words = f"the first heartbeat arrives after {duration(beat.at_s)}, and {expected}"
        remedy = "if the server was started with --heartbeat-ms, give doctor the same value"
        return warn("heartbeat", words, remedy)
    return ok("heartbeat", f"the first heartbeat arrives after {duration(beat.at_s)}")


def _no_heartbeat(timeline: Timeline, pace: ExpectedPace, expected: str) -> Finding:
    others = len(timeline.arrivals) - 1
    if others > 0:
        words = (
            f"no heartbeat arrives within {duration(pace.wait_s)}, but {others} other events do: "
            "a busy stream may have no heartbeats"
        )
        return warn("heartbeat", words, "run doctor again while the server has less to do")
    remedy = (
        "if the server was started with --heartbeat-ms, give doctor the same value; otherwise "
        "check whether a proxy in between holds the stream back, and read the server's log"
    )
    words = f"no heartbeat arrives within {duration(pace.wait_s)}, and {expected}"
    return fail("heartbeat", words, remedy)


def _bunched(timeline: Timeline) -> bool:
    """Return whether two of the heartbeats and `server.connected` arrived at the same time."""
    types = (SERVER_CONNECTED, SERVER_HEARTBEAT)
    times = [one.at_s for one in timeline.arrivals if one.type in types]
    return any(later - sooner < _TOGETHER_S for sooner, later in pairwise(times))


def open_stream(
    server: ExaminedServer, proxy: str, headers: Mapping[str, str] = {}, query: str = ""
) -> ExaminedAnswer:
    """Request the event stream; raises the errors of `ExaminedServer.get`.

    Args:
        server: the server under examination.
        proxy: the headers that a proxy has added; empty if there are none.
        headers: headers to send in addition.
        query: the query of the request, with its question mark; empty if there is none.

    Raises:
        ExaminationStopped: the stream does not open in time, although other routes answer.
    """
    try:
        return server.get(STREAM + query, {**HEADERS, **headers})
    except TimeoutError:
        words = (
            f"{STREAM} does not open within {duration(server.timeout_s)}, although other routes "
            "answer"
        )
        if proxy:
            words = f"{words}, and a proxy is in between ({proxy})"
            raise ExaminationStopped(fail("buffering", words, SEND_AT_ONCE)) from None
        remedy = f"if a proxy is in between, {SEND_AT_ONCE}; otherwise read the server's log"
        raise ExaminationStopped(fail("stream", words, remedy)) from None
