"""Puts a server under load in parts: idle readers, steady events, and a storm of events.

If the server's model is weir's demo model, prompts tell it how many deltas to write, and how fast.
No prompt is sent to any other model, because the answer might cost money. Then the steady events
are changes of a session's title, and there is no storm.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from msgspec import Struct

from acp_client.api.server import Server, ServerFailure, ServerRefused
from bus import json
from bus.origin import Origin
from deploy.bench.child import Child
from deploy.bench.crowd import Crowd, crowd, end_of
from deploy.bench.delays import Delays
from deploy.bench.latency import Latency, latency
from deploy.bench.plan import BenchPlan
from deploy.bench.prober import prober, probes
from deploy.bench.received import digest

DELTAS, SIZE = 30_000, 40
PER_SECOND = 100
_TITLES_PER_SECOND = 20
_STREAM = "/global/event?since=now&frame_hz=0"
_HEALTH = "/global/health"
_PROBE_EVERY_MS = {"http": 10.0, "https": 50.0}
"""The time between two probes. With https it is longer: each probe makes a new connection, and a
TLS handshake costs the server more than the answer."""
_SETTLE_S = 0.5
_LATE_S = 60.0
_TITLE = "weir bench"
_LOGIN = "give a login: --url http://USER:PASSWORD@HOST, WEIR_TOKEN or OPENCODE_SERVER_PASSWORD"
_NO_STORM = "there is no storm, because only the demo model is prompted"
_KEPT = 100
"""Only the text of so many readers is kept and compared, so that it fits in memory."""


class Load(Struct, frozen=True):
    """The amount of load.

    Attributes:
        readers: how many event streams are open.
        seconds: how long the idle part takes, and the steady part.
    """

    readers: int
    seconds: float


class Measured(Struct):
    """The measurements of one part.

    Attributes:
        work: the name of the part.
        seconds: how long the part took, until the last reader had received everything.
        health: how long `GET /global/health` took during the part.
        delays: how long events took to reach the readers; None if this is not measured.
        lost: how many readers have not received all of the text.
        note: a remark about the figures, for the user; may be empty.
    """

    work: str
    seconds: float
    health: Latency
    delays: Delays | None = None
    lost: int = 0
    note: str = ""


def measure(origin: Origin, load: Load) -> Iterator[Measured]:
    """Put a server under load, and yield the measurements of each part.

    Raises:
        ServerFailure: the server does not answer, or answers a request with an error.
        CrowdFailed: a stream cannot be opened, has ended, or brings no more events.
    """
    server = Server(origin)
    _check(server)
    scripted = _is_demo(server)
    every_ms = _PROBE_EVERY_MS[origin.scheme]
    with _session(server) as session, prober(origin, _HEALTH, every_ms) as probing:
        plan = BenchPlan(
            origin, [_STREAM], load.readers, kept=min(load.readers, _KEPT), unix=scripted
        )
        with crowd(plan) as readers:
            work = _Parts(server, session, readers, probing, load)
            yield work.idle()
            if scripted:
                yield work.steady()
                yield work.storm()
            else:
                yield work.titles()


def _check(server: Server) -> None:
    try:
        health = server.ask("GET", _HEALTH)
    except ServerRefused as refused:
        if refused.status in (401, 403):
            raise ServerFailure(f"{refused}; {_LOGIN}") from None
        raise
    try:
        said = json.decode(health)
    except ValueError:
        said = None
    if not isinstance(said, dict) or said.get("healthy") is not True:
        raise ServerFailure(
            f"{server.origin} is neither weir nor opencode; run `weir doctor --url "
            f"{server.origin}` to find out more"
        )


def _is_demo(server: Server) -> bool:
    try:
        said = json.decode(server.ask("GET", "/config/providers"))
        return [one["id"] for one in said["providers"]] == ["demo"]
    except (ServerRefused, ValueError, TypeError, KeyError):
        return False


@contextlib.contextmanager
def _session(server: Server) -> Iterator[str]:
    session = str(json.decode(server.ask("POST", "/session", {"title": _TITLE}))["id"])
    try:
        yield session
    finally:
        with contextlib.suppress(ServerFailure):
            server.ask("DELETE", f"/session/{session}")


class _Parts:
    """Runs the parts of the load at one server; during each part, requests are probed too."""

    def __init__(
        self, server: Server, session: str, readers: Crowd, probing: Child, load: Load
    ) -> None:
        self._server = server
        self._path = f"/session/{session}"
        self._session = session
        self._readers = readers
        self._probing = probing
        self._load = load

    def idle(self) -> Measured:
        """Measure while the readers are connected and there are no events."""
        start_ns = time.monotonic_ns()
        time.sleep(self._load.seconds)
        self._readers.check()
        return self._measured(f"idle, {self._load.readers} readers", start_ns)

    def steady(self) -> Measured:
        """Measure while the demo model writes deltas at a steady pace."""
        count = int(PER_SECOND * self._load.seconds)
        start_ns = self._prompted(f"rate {PER_SECOND} {count}", self._load.seconds)
        measured = self._with_delays(f"steady, {PER_SECOND} deltas a second", start_ns, count)
        if measured.delays is None:
            measured.note = (
                "delays are not measured, because the demo model of this older weir sends no times"
            )
        elif not self._server.origin.is_local:
            _count_from_the_fastest(measured.delays)
            measured.note = (
                "delays count from the fastest event, because the clocks of two machines differ"
            )
        return measured

    def storm(self) -> Measured:
        """Measure while the demo model writes deltas as fast as it can."""
        start_ns = self._prompted(f"storm {DELTAS} {SIZE}", 0)
        measured = self._measured(f"storm, {DELTAS:,} deltas", start_ns)
        filling = "x" * (SIZE - 9) + " "
        text = digest("".join(f"{number:07d}|{filling}" for number in range(DELTAS)))
        time.sleep(_SETTLE_S)
        held = self._readers.held(self._session)
        measured.lost = sum(count for found, count in held.texts.items() if found != text)
        measured.note = f"{held.frames:,.0f} frames, {held.bytes / 1e6:.1f} MB a reader"
        return measured

    def titles(self) -> Measured:
        """Measure while the title of the session changes at a steady pace."""
        count = int(_TITLES_PER_SECOND * self._load.seconds)
        self._readers.begin(f'"title":"{_TITLE} is over"')
        start_ns = time.monotonic_ns()
        for number in range(count):
            due_ns = start_ns + number * 10**9 // _TITLES_PER_SECOND
            time.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
            self._rename(f"{number:07d}|{time.monotonic_ns():019d}|")
        self._rename(f"{_TITLE} is over")
        self._readers.wait(_LATE_S)
        work = f"steady, {_TITLES_PER_SECOND} changes of a title a second"
        measured = self._with_delays(work, start_ns, count)
        measured.note = _NO_STORM
        return measured

    def _prompted(self, script: str, seconds: float) -> int:
        """Send the demo model a prompt, and wait until every reader has received the whole answer.

        Returns:
            When the prompt was sent, in ns on the monotonic clock.
        """
        self._readers.begin(end_of(self._session))
        start_ns = time.monotonic_ns()
        body = {"parts": [{"type": "text", "text": script}]}
        self._server.ask("POST", f"{self._path}/prompt_async", body)
        self._readers.wait(seconds + _LATE_S)
        return start_ns

    def _rename(self, title: str) -> None:
        self._server.ask("PATCH", self._path, {"title": title})

    def _with_delays(self, work: str, start_ns: int, count: int) -> Measured:
        measured = self._measured(work, start_ns)
        delays = self._readers.delays()
        if not delays.deliveries:
            return measured
        measured.lost = int(delays.least < count)
        measured.delays = delays
        return measured

    def _measured(self, work: str, start_ns: int) -> Measured:
        end_ns = time.monotonic_ns()
        health = latency(probes(self._probing), [(start_ns, end_ns)])
        return Measured(work, (end_ns - start_ns) / 1e9, health)


def _count_from_the_fastest(delays: Delays) -> None:
    for name in ("p50", "p99", "p999", "max"):
        setattr(delays, name, getattr(delays, name) - delays.least_ms)
