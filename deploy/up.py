"""`weir up`: a whole local deployment under a supervisor: processor, gateway, perhaps an agent."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from bus.agent_lines import BUILT_IN
from bus.origin import (
    PASSWORD_VARIABLE,
    TOKEN_VARIABLE,
    USERNAME_VARIABLE,
    Origin,
    login_from,
)
from bus.process import flags, logs
from bus.process.entry import CannotStart
from bus.process.flags import BadFlag, Flag
from bus.process.folder import claimed
from bus.process.heart import NOTIFY_VARIABLE, Heart, Notifier
from bus.process.login import Login
from bus.process.start_folder import home_folder, start_path
from deploy.agent import AGENT
from deploy.announcement import Announcement, url_of
from deploy.beats import Beats
from deploy.bus_folder import BusFolder, bus_folder
from deploy.import_path import interpreter
from deploy.limits import LIMIT_FLAGS, Limits
from deploy.sample_log import SampleLog
from deploy.supervisor import TICK_S, Service, Supervisor
from deploy.watchdog import Watchdog
from gateway.access.exposure import check_exposure
from gateway.access.token_file import BadTokenFile
from gateway.access.tokens import Tokens
from gateway.settings import (
    GATEWAY_FLAGS,
    LOG_LEVEL,
    OWN_TOKEN,
    UPSTREAM_FLAGS,
    check_identities,
)
from gateway.workers.listener import listen
from processor.native.allowance import ALLOWANCE_FLAGS
from processor.native.bounds import BOUND_FLAGS
from processor.settings import FLAGS as PROCESSOR_FLAGS
from processor.settings import from_flags
from processor.tools.settings import TOOL_FLAGS

# The gateway's master gives its workers another second, and rounds up.
_AFTER_DRAIN_S = 2.5
_STATE_HELP = "folder of sessions, notes and watchdog.ndjson; each weir up needs its own"
_LOCK_NAME = "up.lock"
_NOTIFY = "notify"
_TOKEN_BYTES = 32
_ANY_BUS = "ipc:///bus"
_AGENT = "agent"
_BY_NAME = {flag.name: flag for flag in PROCESSOR_FLAGS}
_STATE, _SILENCE = _BY_NAME["state"], _BY_NAME["upstream-silence"]
_MODEL_FLAGS = tuple(flag for flag in PROCESSOR_FLAGS if flag.name.startswith("model"))
_PROCESSOR = tuple(f for f in PROCESSOR_FLAGS if f.name != "bus" and not f.secret)
_GATEWAY = (_STATE, *GATEWAY_FLAGS, *UPSTREAM_FLAGS, LOG_LEVEL)


class UpOptions(Struct, frozen=True):
    """The services to run.

    Attributes:
        limits: of each process.
        values: of all flags, by `Flag.key`.
        notify_socket: the service manager's socket for reports of this process; empty for none.
    """

    host: str
    port: int
    state: Path
    limits: Limits
    values: dict[str, Any]
    notify_socket: str = ""


def read(argv: Sequence[str], environ: Mapping[str, str]) -> UpOptions:
    """Return the options from a command line and its environment.

    Raises:
        BadFlag: a flag is not allowed.
        HelpAsked: ``--help`` was given.
    """
    state = Flag("state", _STATE.kind, default_state(environ), _STATE_HELP)
    bounds = (*BOUND_FLAGS, *ALLOWANCE_FLAGS, *TOOL_FLAGS)
    services = (*GATEWAY_FLAGS, *UPSTREAM_FLAGS, _SILENCE, state, *_MODEL_FLAGS, *bounds)
    values = flags.read(argv, environ, (AGENT, *services, *LIMIT_FLAGS, LOG_LEVEL))
    values["agent_name"] = BUILT_IN if values["agent"] else None
    if values["state"] is None:
        raise BadFlag(
            "--state: missing, and there is no home folder for a default; allowed is a folder"
        )
    for flag in ("model_url", "upstream"):
        if values["agent"] and values[flag]:
            name = flag.replace("_", "-")
            raise BadFlag(
                f"--agent: not allowed with --{name}: the agent answers in place of a model"
            )
    if values["agent"] and values["tls_cert"]:
        raise BadFlag("--agent: not with --tls-cert; start the agent apart, with weir.serve")
    # The processor checks which of its flags need each other. This runs the check before the
    # start.
    from_flags(_words(_PROCESSOR, values, _ANY_BUS), environ)
    check_identities(values)
    return UpOptions(
        values["host"],
        values["port"],
        values["state"],
        Limits(values["hang_limit"], values["memory_limit"]),
        values,
        environ.get(NOTIFY_VARIABLE, ""),
    )


def run(options: UpOptions) -> int:
    """Run the services until this process is stopped; return the exit status.

    Raises:
        BadFlag: the port or the state folder is in use, or cannot be used.
    """
    logs.configure(options.values["log_level"])
    _hide_login(options.values["upstream"])
    with ExitStack() as stack:
        try:
            stack.enter_context(claimed(options.state, "--state", "weir up", _LOCK_NAME))
            bus = stack.enter_context(bus_folder(options.state))
            beats = stack.enter_context(closing(Beats(bus.path / _NOTIFY)))
        except CannotStart as error:
            raise BadFlag(str(error)) from error
        except OSError as error:
            what = str(error.filename or options.state)
            raise BadFlag(f"--state: {what!r} cannot be used: {error.strerror}") from error
        _check_certificate(options.values)
        listener = stack.enter_context(listen(options.host, options.port))
        asks = _login_of(options.values["upstream"]) is not None or _has_tokens(options.state)
        asks = asks or options.values["identities"] is not None
        check_exposure(listener.getsockname(), options.values["open"], asks)
        return _supervise(options, listener, bus, beats)


def _supervise(options: UpOptions, listener: socket.socket, bus: BusFolder, beats: Beats) -> int:
    # If the start folder is deleted before a service starts again, the service uses this name.
    env = {NOTIFY_VARIABLE: str(bus.path / _NOTIFY), "PWD": start_path(os.environ)}
    services = _services(options, listener, bus, env)
    manager = Notifier(options.notify_socket)
    heart = Heart(manager, TICK_S)
    address, path = listener.getsockname(), options.values["base_path"]
    announcement = Announcement(
        options.host,
        address,
        manager,
        path.path if path else "",
        tls=options.values["tls_cert"] is not None,
    )
    with closing(SampleLog(options.state)) as samples:
        # The user's own code may keep its process busy for any time.
        watched = [service for service in services if service.name != _AGENT]
        watchdog = Watchdog(watched, beats, options.limits, samples)
        each_tick = (lambda: watchdog.tick(time.monotonic()), announcement, heart.beat)
        stop_s = options.values["drain"] + _AFTER_DRAIN_S
        return Supervisor(services, each_tick, stop_s).run()


def _services(
    options: UpOptions, listener: socket.socket, bus: BusFolder, env: Mapping[str, str]
) -> list[Service]:
    values = {**options.values, "port": listener.getsockname()[1]}
    fd, url = listener.fileno(), f"ipc://{bus.path}"
    processor = [*interpreter(), "-m", "processor", *_words(_PROCESSOR, values, url)]
    gateway = [*interpreter(), "-m", "gateway", *_words(_GATEWAY, values, url)]
    # Gunicorn may mistake a suspended machine for workers that hang; the watchdog does not.
    gateway += [f"--listen-fd={fd}", "--worker-timeout=0"]
    own_token = secrets.token_urlsafe(_TOKEN_BYTES)
    own = {OWN_TOKEN.env: own_token} if values["agent"] else {}
    services = [
        Service("processor", processor, env, bus.fds),
        Service("gateway", gateway, {**env, **own}, (*bus.fds, fd)),
    ]
    if values["agent"]:
        path = values["base_path"]
        where = url_of(listener.getsockname(), path.path if path else "")
        agent = [
            *interpreter(),
            "-m",
            "deploy.agent",
            f"--url={where}",
            f"--agent={values['agent']}",
        ]
        agent.append(f"--log-level={values['log_level']}")
        services.append(Service(_AGENT, agent, {"PWD": env["PWD"], TOKEN_VARIABLE: own_token}))
    return services


def _check_certificate(values: Mapping[str, Any]) -> None:
    if values["tls_cert"] or values["tls_key"]:
        from gateway.workers.certificate import server_context  # loads OpenSSL: 40 ms

        server_context(values["tls_cert"], values["tls_key"])


def _hide_login(upstream: Origin | None) -> None:
    """Put the upstream's login into the environment: a process list would show it in the flags."""
    if upstream is not None and upstream.login is not None:
        os.environ[USERNAME_VARIABLE] = upstream.login.username
        os.environ[PASSWORD_VARIABLE] = upstream.login.password


def _login_of(upstream: Origin | None) -> Login | None:
    """Return the login that clients have to give."""
    if upstream is not None and upstream.login is not None:
        return upstream.login
    return login_from(os.environ)


def _has_tokens(state: Path) -> bool:
    try:
        return Tokens(state).exist
    except BadTokenFile as error:
        raise BadFlag(f"--state: {error}") from error


def default_state(environ: Mapping[str, str]) -> Path | None:
    base, home = environ.get("XDG_STATE_HOME", ""), home_folder(environ)
    if os.path.isabs(base):  # by its specification, a relative path counts as not set
        return Path(base) / "weir"
    return home and home / ".local" / "state" / "weir"


def _words(of: Sequence[Flag], values: Mapping[str, Any], bus: str) -> list[str]:
    """Return flags as words of a service's command line."""
    given = ((flag.name, values[flag.key]) for flag in of)
    return [f"--bus={bus}", *(f"--{name}={value}" for name, value in given if value is not None)]
