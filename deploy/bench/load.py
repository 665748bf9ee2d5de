"""The load on a server: idle readers, steady work, and a storm if the model takes scripts.

weir's demo model takes scripts as prompts. No prompt is sent to any other model, since it may cost
money: steady work then changes the title of a session, and there is no storm.
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
"""Each probe is a new connection; a TLS handshake takes more of a server than the answer does."""
_SETTLE_S = 0.5
_LATE_S = 60.0
_TITLE = "weir bench"
_LOGIN = "give a name and password: http://USER:PASSWORD@HOST, or in the environment"
_NO_STORM = "no storm: only the demo model is prompted"
_KEPT = 100
"""The text of this many readers is compared: a hundred copies of a storm fit in memory."""


class Load(Struct, frozen=True):
    """The amount of load.

    Attributes:
        seconds: of the idle part, and of the steady part.
    """

    readers: int
    seconds: float


class Measured(Struct):
    """The measurements of one part.

    Attributes:
        seconds: until the last reader had everything.
        health: latency of probes of the server's health meanwhile.
        delays: of each delta; None if they are not measured.
        lost: how many readers lack some of the text.
        note: what the figures do not show.
    """

    work: str
    seconds: float
    health: Latency
    delays: Delays | None = None
    lost: int = 0
    note: str = ""


def measure(origin: Origin, load: Load) -> Iterator[Measured]:
    """Yield the measurements of each part.

    Raises:
        ServerFailure: the server does not answer, or refuses a request.
        CrowdFailed: a stream cannot be opened, ends, or stops.
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
        raise ServerFailure(f"{server.origin} is neither weir nor opencode: see `weir doctor`")


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
    """The parts of a measurement of one server, each with the probes during it."""

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
        """Keep the readers connected, without events."""
        start_ns = time.monotonic_ns()
        time.sleep(self._load.seconds)
        self._readers.check()
        return self._measured(f"idle, {self._load.readers} readers", start_ns)

    def steady(self) -> Measured:
        """Let the demo model write at a steady pace."""
        count = int(PER_SECOND * self._load.seconds)
        start_ns = self._prompted(f"rate {PER_SECOND} {count}", self._load.seconds)
        measured = self._with_delays(f"steady, {PER_SECOND} deltas a second", start_ns, count)
        if measured.delays is None:
            measured.note = "no delays: the demo model of an older weir sends no times"
        elif not self._server.origin.is_local:
            _count_from_the_fastest(measured.delays)
            measured.note = "delays are relative to the fastest: the clocks of two machines differ"
        return measured

    def storm(self) -> Measured:
        """Let the demo model write as fast as it can."""
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
        """Change the title of the session at a steady pace."""
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
        """Send a prompt, and wait until every reader has the end of the answer."""
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
