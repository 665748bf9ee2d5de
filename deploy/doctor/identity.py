"""Checks which server answers, its login, how fast it is, and whether it is ready."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from deploy.doctor.finding import Finding, duration, fail, ok, warn
from deploy.doctor.patient import Patient, PatientAnswer

HEALTH, LIVEZ, READYZ = "/global/health", "/weir/livez", "/weir/readyz"
_TIMES = 5
_SLOW_S = 0.25
_NO_SERVER_BEHIND = (502, 503, 504)


class Unfit(Exception):
    """A finding after which no further check is useful."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.words)
        self.finding = finding


def check_login(patient: Patient, answer: PatientAnswer) -> Finding:
    """Check that the server requires a password, and accepts the given one.

    Raises:
        Unfit: the login is missing or refused.
    """
    login = patient.origin.login
    if answer.status in (401, 403):
        if login is None:
            remedy = "set WEIR_TOKEN or OPENCODE_SERVER_PASSWORD, or give --url http://USER:PASSWORD@HOST"
            raise Unfit(fail("login", "a user name and a password are required", remedy))
        raise Unfit(fail("login", "this name and password are refused", "check them in --url"))
    if login is not None:
        return _check_without(patient)
    if patient.origin.is_local:
        return ok("login", "no password is required, at an address of this machine")
    return warn(
        "login",
        "no password is required: every client that reaches this address can run tools on it",
        "listen on 127.0.0.1, or put a password in front",
    )


def _check_without(patient: Patient) -> Finding:
    answer, _ = patient.json(HEALTH, login=False)
    if answer.status == 401:
        return ok("login", "accepted, and required")
    return warn(
        "login",
        "the server answers without the password that was given, too",
        "set OPENCODE_SERVER_PASSWORD for the opencode behind it, and restart both",
    )


def check_kind(
    patient: Patient, answer: PatientAnswer, health: dict[str, object]
) -> tuple[Finding, bool]:
    """Find out which server answers; True for weir, False for opencode without weir.

    Raises:
        Unfit: it is neither.
    """
    if 300 <= answer.status < 400:
        to = answer.headers.get("Location", "nowhere")
        raise Unfit(fail("server", f"it redirects to {to}", "use that address in --url"))
    if answer.status != 200 or health.get("healthy") is not True:
        raise Unfit(_neither(patient, answer))
    livez, alive = patient.json(LIVEZ)
    version = health.get("version", "of unknown version")
    if alive.get("alive") is True:
        return ok("server", f"weir; its health has version {version}"), True
    if livez.status in (401, 403):
        words = f"a proxy refuses {LIVEZ} ({livez.status})"
        return warn("server", words, "let /weir/livez and /weir/readyz through"), False
    remedy = f"put weir in front of it: weir up --upstream {patient.origin}"
    return warn("server", f"opencode {version}, without weir", remedy), False


def _neither(patient: Patient, answer: PatientAnswer) -> Finding:
    said = f"{HEALTH} answers {answer.status} ({answer.kind})"
    if answer.status in _NO_SERVER_BEHIND:
        remedy = "start `weir up`, and check the address that the proxy has for it"
        return fail("server", f"a proxy does not reach the server behind it: {said}", remedy)
    if patient.origin.scheme == "http" and patient.speaks_tls():
        return fail("server", f"{patient.origin.authority} speaks TLS", "use https:// in --url")
    return fail("server", f"neither weir nor opencode: {said}", "check the --url")


def check_health(patient: Patient) -> Finding:
    """Measure how fast health answers."""
    times = []
    for _ in range(_TIMES):
        answer, _ = patient.json(HEALTH)
        times.append(answer.head_s)
    middle, worst = duration(statistics.median(times)), max(times)
    words = f"answers in {middle}, at worst {duration(worst)}"
    if worst <= _SLOW_S:
        return ok("health", words)
    return warn("health", words, "the server's loop is busy, or the network is slow")


def check_ready(patient: Patient) -> Iterator[Finding]:
    """Ask weir whether events and turns are available; one finding for each reason against it."""
    answer, said = patient.json(READYZ)
    reasons = said.get("reasons")
    if answer.status == 200 and said.get("ready") is True:
        yield ok("ready", "events and turns are available")
    elif answer.status == 503 and isinstance(reasons, list) and reasons:
        for reason in reasons:
            yield fail("ready", str(reason), "read the log of `weir up`")
    else:
        yield fail("ready", f"{READYZ} answers {answer.status} ({answer.kind})")
