"""`weir up`: starts weir's processes (processor, gateway, the user's agent), and restarts them.

The processor runs turns or reads an opencode's events; the gateway serves HTTP and event streams.
"""

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
from bus.process.flags import REQUIRED, BadFlag, Flag
from bus.process.folder import claimed
from bus.process.heart import NOTIFY_VARIABLE, Heart, Notifier
from bus.process.login import Login
from bus.process.start_folder import home_folder, start_path
from bus.redis.address import REDIS, REDIS_USERNAME
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

# At a stop, the gateway's master waits for its workers for up to so much longer than --drain.
_AFTER_DRAIN_S = 2.5
_STATE_HELP = (
    "the folder for sessions, notes and watchdog.ndjson; each running `weir up` needs another"
)
_BUS_HELP = "the Redis through which processors and gateways on several machines share events"
_LOCK_NAME = "up.lock"
_NOTIFY = "notify"
_TOKEN_BYTES = 32
_ANY_BUS = "ipc:///bus"
_AGENT = "agent"
_BY_NAME = {flag.name: flag for flag in PROCESSOR_FLAGS}
_STATE, _SILENCE = _BY_NAME["state"], _BY_NAME["upstream-silence"]
_MODEL_FLAGS = tuple(flag for flag in PROCESSOR_FLAGS if flag.name.startswith("model"))
_PROCESSOR = tuple(f for f in PROCESSOR_FLAGS if f.name != "bus" and not f.secret)
_BRIDGE = (REDIS_USERNAME, LOG_LEVEL)
_GATEWAY = (_STATE, *GATEWAY_FLAGS, *UPSTREAM_FLAGS, LOG_LEVEL)


class UpOptions(Struct, frozen=True):
    """The options of `weir up`.

    Attributes:
        host: the host to listen at.
        port: the port to listen at; 0: any free port.
        state: the state folder.
        limits: the limits for each process.
        values: the values of all flags, by `Flag.key`.
        notify_socket: the socket to which systemd wants reports of this process; empty: none.
        runs_turns: a processor is started too; False: only what serves HTTP (`weir gateway`).
    """

    host: str
    port: int
    state: Path
    limits: Limits
    values: dict[str, Any]
    notify_socket: str = ""
    runs_turns: bool = True


def read(argv: Sequence[str], environ: Mapping[str, str], runs_turns: bool = True) -> UpOptions:
    """Return the options from the command line and the environment variables.

    Args:
        argv: the words of the command line.
        environ: the environment variables.
        runs_turns: False: no processor is started, so the flags of a processor are unknown.

    Raises:
        BadFlag: a flag is unknown, or its value is not allowed.
        HelpAsked: ``--help`` was given.
    """
    state = Flag("state", _STATE.kind, default_state(environ), _STATE_HELP)
    common = (*GATEWAY_FLAGS, *UPSTREAM_FLAGS, state, *LIMIT_FLAGS, LOG_LEVEL)
    bus = Flag("bus", REDIS, None if runs_turns else REQUIRED, _BUS_HELP)
    turns = (AGENT, _SILENCE, *_MODEL_FLAGS, *BOUND_FLAGS, *ALLOWANCE_FLAGS, *TOOL_FLAGS)
    values = flags.read(
        argv, environ, (*(turns if runs_turns else ()), *common, bus, REDIS_USERNAME)
    )
    if values["state"] is None:
        raise BadFlag("--state: missing, and there is no home folder for a default; give a folder")
    if runs_turns:
        _check_turns(values, environ)
    check_identities(values)
    return UpOptions(
        values["host"],
        values["port"],
        values["state"],
        Limits(values["hang_limit"], values["memory_limit"]),
        values,
        environ.get(NOTIFY_VARIABLE, ""),
        runs_turns,
    )


def _check_turns(values: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Check the flags of the processor and of the agent, and add the agent's name.

    Raises:
        BadFlag: two flags exclude each other.
    """
    values["agent_name"] = BUILT_IN if values["agent"] else None
    for flag in ("model_url", "upstream"):
        if values["agent"] and values[flag]:
            name = flag.replace("_", "-")
            raise BadFlag(
                f"--agent: not allowed with --{name}: the agent answers in place of a model"
            )
    if values["agent"] and values["tls_cert"]:
        raise BadFlag(
            "--agent: not allowed with --tls-cert; start the agent as a process of your own, with "
            "weir.serve"
        )
    # Only the processor knows which of its flags need each other. Its check is run here too, so
    # that a mistake is reported before any process is started.
    from_flags(_words(_PROCESSOR, values, _ANY_BUS), environ)


def run(options: UpOptions) -> int:
    """Run weir's processes until this process is stopped; return the exit status.

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
    # `PWD` tells a service the current folder even if the folder is deleted before a restart.
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
        # The agent is not watched: the user's code may block its process for any time.
        watched = [service for service in services if service.name != _AGENT]
        watchdog = Watchdog(watched, beats, options.limits, samples)
        each_tick = (lambda: watchdog.tick(time.monotonic()), announcement, heart.beat)
        stop_s = options.values["drain"] + _AFTER_DRAIN_S
        return Supervisor(services, each_tick, stop_s).run()


def _services(
    options: UpOptions, listener: socket.socket, bus: BusFolder, env: Mapping[str, str]
) -> list[Service]:
    values = {**options.values, "port": listener.getsockname()[1]}
    fd, url, redis = listener.fileno(), f"ipc://{bus.path}", options.values["bus"]
    gateway = [*interpreter(), "-m", "gateway", *_words(_GATEWAY, values, url)]
    # gunicorn's own timeout is switched off, because it would kill all workers after the machine
    # was suspended. The watchdog does not count that time.
    gateway += [f"--listen-fd={fd}", "--worker-timeout=0"]
    services = list[Service]()
    if options.runs_turns:
        words = _words(_PROCESSOR, values, url if redis is None else str(redis))
        services.append(
            Service("processor", [*interpreter(), "-m", "processor", *words], env, bus.fds)
        )
    if redis is not None:
        words = [f"--redis={redis}", *_words(_BRIDGE, values, url)]
        services.append(
            Service("bridge", [*interpreter(), "-m", "gateway.bridge", *words], env, bus.fds)
        )
    own_token = secrets.token_urlsafe(_TOKEN_BYTES)
    own = {OWN_TOKEN.env: own_token} if values.get("agent") else {}
    services.append(Service("gateway", gateway, {**env, **own}, (*bus.fds, fd)))
    if values.get("agent"):
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
        # Imported only if needed, because it loads OpenSSL, which takes 40 ms.
        from gateway.workers.certificate import server_context

        server_context(values["tls_cert"], values["tls_key"])


def _hide_login(upstream: Origin | None) -> None:
    """Pass the upstream's login to the services in environment variables instead of flags.

    Any user of the machine can see flags in the list of processes.
    """
    if upstream is not None and upstream.login is not None:
        os.environ[USERNAME_VARIABLE] = upstream.login.username
        os.environ[PASSWORD_VARIABLE] = upstream.login.password


def _login_of(upstream: Origin | None) -> Login | None:
    """Return the login that weir requires from clients, None if it requires none."""
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
    # The XDG specification says that a relative path must be ignored.
    if os.path.isabs(base):
        return Path(base) / "weir"
    return home and home / ".local" / "state" / "weir"


def _words(of: Sequence[Flag], values: Mapping[str, Any], bus: str) -> list[str]:
    """Return the words of a service's command line for the flags that have a value."""
    given = ((flag.name, values[flag.key]) for flag in of)
    return [f"--bus={bus}", *(f"--{name}={value}" for name, value in given if value is not None)]
