"""Checks whether weir or an opencode answers, the login, the speed, and the readiness."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from deploy.doctor.examined_server import ExaminedAnswer, ExaminedServer
from deploy.doctor.finding import Finding, duration, fail, ok, warn

HEALTH, LIVEZ, READYZ = "/global/health", "/weir/livez", "/weir/readyz"
_TIMES = 5
_SLOW_S = 0.25
_NO_SERVER_BEHIND = (502, 503, 504)


class ExaminationStopped(Exception):
    """Raised by a check whose finding makes all further checks useless; carries the finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.words)
        self.finding = finding


def check_login(server: ExaminedServer, answer: ExaminedAnswer) -> Finding:
    """Check that the server requires a login, and accepts the login that was given.

    Raises:
        ExaminationStopped: no login was given, or the server refuses the login.
    """
    login = server.origin.login
    if answer.status in (401, 403):
        if login is None:
            remedy = "set WEIR_TOKEN or OPENCODE_SERVER_PASSWORD, or give --url http://USER:PASSWORD@HOST"
            words = "the server requires a token, or a user name and a password"
            raise ExaminationStopped(fail("login", words, remedy))
        words = f"the server refuses the given login with status {answer.status}"
        remedy = "check the user name and password, or the token, in --url and in the environment"
        raise ExaminationStopped(fail("login", words, remedy))
    if login is not None:
        return _check_without(server)
    if server.origin.is_local:
        return ok(
            "login",
            "the server requires no login, and its address can be reached from this machine only",
        )
    return warn(
        "login",
        "the server requires no login: every client that reaches this address can run tools on "
        "the server's machine",
        "start the server with --host 127.0.0.1, or with OPENCODE_SERVER_PASSWORD",
    )


def _check_without(server: ExaminedServer) -> Finding:
    answer, _ = server.json(HEALTH, login=False)
    if answer.status == 401:
        return ok("login", "the server requires a login, and accepts the given login")
    return warn(
        "login",
        "the server does not check the given login: it also answers requests without a login",
        "set OPENCODE_SERVER_PASSWORD for weir, and for an opencode behind weir, and restart them",
    )


def check_kind(
    server: ExaminedServer, answer: ExaminedAnswer, health: dict[str, object]
) -> tuple[Finding, bool]:
    """Find out which server answers; return the finding, and whether the server is weir.

    Args:
        server: the server under examination.
        answer: its answer to ``GET /global/health``.
        health: the JSON object in the body of the answer.

    Raises:
        ExaminationStopped: the server is neither weir nor opencode.
    """
    if 300 <= answer.status < 400:
        to = answer.headers.get("Location", "nowhere")
        raise ExaminationStopped(
            fail(
                "server",
                f"{server.origin} redirects to {to}, and doctor follows no redirects",
                f"in --url, give the address that it redirects to, without {HEALTH}",
            )
        )
    if answer.status != 200 or health.get("healthy") is not True:
        raise ExaminationStopped(_neither(server, answer))
    livez, alive = server.json(LIVEZ)
    version = health.get("version", "of unknown version")
    if alive.get("alive") is True:
        return ok("server", f"weir answers; {HEALTH} reports version {version}"), True
    if livez.status in (401, 403):
        words = (
            f"a proxy refuses {LIVEZ} ({livez.status}), so it is unknown whether this server is "
            "weir, and what only weir has is not checked"
        )
        return warn("server", words, f"have the proxy pass {LIVEZ} and {READYZ} on"), False
    remedy = f"put weir in front of this opencode: weir up --upstream {server.origin}"
    return warn("server", f"this is opencode {version}, without weir in front", remedy), False


def _neither(server: ExaminedServer, answer: ExaminedAnswer) -> Finding:
    said = f"{HEALTH} answers {answer.status} ({answer.kind})"
    if answer.status in _NO_SERVER_BEHIND:
        remedy = "start `weir up`, and check weir's address in the settings of the proxy"
        return fail("server", f"a proxy does not reach the server behind it: {said}", remedy)
    if server.origin.scheme == "http" and server.speaks_tls():
        words = f"{server.origin.authority} expects TLS, but --url begins with http://"
        return fail("server", words, "use https:// in --url")
    words = f"this server is neither weir nor opencode: {said}"
    return fail("server", words, "check the host, the port and the path in --url")


def check_health(server: ExaminedServer) -> Finding:
    """Measure how fast the server answers `GET /global/health`, which needs no work."""
    times = []
    for _ in range(_TIMES):
        answer, _ = server.json(HEALTH)
        times.append(answer.head_s)
    middle, worst = duration(statistics.median(times)), max(times)
    words = f"{HEALTH} answers within {middle} (median of {_TIMES}), at worst {duration(worst)}"
    if worst <= _SLOW_S:
        return ok("health", words)
    remedy = "check the CPU load of the server's machine; if it is low, the network is slow"
    return warn("health", words, remedy)


def check_ready(server: ExaminedServer) -> Iterator[Finding]:
    """Ask weir whether it is ready; yield a finding for each reason that makes it not ready."""
    answer, said = server.json(READYZ)
    reasons = said.get("reasons")
    if answer.status == 200 and said.get("ready") is True:
        yield ok("ready", "weir reports that it can deliver events and run turns")
    elif answer.status == 503 and isinstance(reasons, list) and reasons:
        for reason in reasons:
            yield fail("ready", str(reason), "read the log of `weir up`")
    else:
        words = f"{READYZ} answers {answer.status} ({answer.kind}) instead of weir's JSON"
        yield fail("ready", words, "check whether a proxy answers this route")
