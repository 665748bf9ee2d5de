"""`weir up`: a whole local deployment, processor and gateway, in the foreground."""

from __future__ import annotations

import errno
import fcntl
import http.client
import json
import logging
import os
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO

from msgspec import Struct

from bus import flags, logs
from bus.endpoints import Endpoints, InvalidEndpoint
from bus.flags import BadFlag, Flag
from bus.origin import PASSWORD_VARIABLE, USERNAME_VARIABLE, Origin
from deploy.supervisor import Service, Supervisor
from gateway.settings import GATEWAY_FLAGS, LOG_LEVEL, UPSTREAM_FLAGS
from processor.settings import FLAGS as PROCESSOR_FLAGS
from processor.settings import from_flags

log = logging.getLogger("weir.up")

# The gateway's master gives its workers a second, and rounds up.
_AFTER_DRAIN_S = 2.5
_MODEL_FLAGS = tuple(flag for flag in PROCESSOR_FLAGS if flag.name.startswith("model"))
_STATE = next(flag for flag in PROCESSOR_FLAGS if flag.name == "state")
_SILENCE = next(flag for flag in PROCESSOR_FLAGS if flag.name == "upstream-silence")


class Options(Struct, frozen=True):
    """What to run: the values of all flags, by the name of the flag."""

    host: str
    port: int
    state: Path
    values: dict[str, object]


def read(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Return the options that a command line and its environment ask for.

    Raises:
        BadFlag: something is not allowed.
        HelpAsked: help was asked for.
    """
    state = Flag("state", _STATE.kind, _default_state(environ), _STATE.help)
    all_flags = (*GATEWAY_FLAGS, *UPSTREAM_FLAGS, _SILENCE, state, *_MODEL_FLAGS, LOG_LEVEL)
    values = flags.read(argv, environ, all_flags)
    # The processor knows which of its flags need each other: better refused here than by it.
    from_flags([_ANY_BUS, *_words(_names(_PROCESSOR), values)], environ)
    return Options(values["host"], values["port"], values["state"], values)


def run(options: Options) -> int:
    """Run it until it is stopped; return the exit status.

    Raises:
        BadFlag: the port or the state folder is taken, or cannot be used.
    """
    logs.configure(str(options.values["log_level"]))
    _hide_login(options.values["upstream"])
    with _locked(options.state):
        port = _free_port(options.host, options.port)
        with _bus_folder(options.state) as bus:
            values = {**options.values, "port": port, "bus": f"ipc://{bus}"}
            services = [
                Service("processor", _command("processor", ("bus", *_names(_PROCESSOR)), values)),
                Service("gateway", _command("gateway", ("bus", *_names(_GATEWAY)), values)),
            ]
            stop_s = float(str(values["drain"])) + _AFTER_DRAIN_S
            return Supervisor(services, _Announcement(options.host, port), stop_s).run()


_ANY_BUS = "--bus=ipc:///bus"
_UPSTREAM = next(flag for flag in UPSTREAM_FLAGS if flag.name == "upstream")
_PROCESSOR = (
    _STATE,
    _UPSTREAM,
    _SILENCE,
    *(flag for flag in _MODEL_FLAGS if not flag.secret),
    LOG_LEVEL,
)
_GATEWAY = (*GATEWAY_FLAGS, *UPSTREAM_FLAGS, LOG_LEVEL)


class _Announcement:
    """Says once, on stdout, that everything answers, and where; or, on stderr, why not yet."""

    def __init__(self, host: str, port: int) -> None:
        self._host = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        self._port = port
        self._made = False
        self._reason = ""

    def __call__(self) -> None:
        if self._made:
            return
        self._made, reason = self._readiness()
        if self._made:
            host = f"[{self._host}]" if ":" in self._host else self._host
            print(f"weir is ready: http://{host}:{self._port}", flush=True)
        elif reason and reason != self._reason:
            self._reason = reason
            log.warning("not ready yet: %s", reason)

    def _readiness(self) -> tuple[bool, str]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=1)
        try:
            connection.request("GET", "/weir/readyz")
            said = json.loads(connection.getresponse().read())
            return bool(said["ready"]), ", ".join(said["reasons"])
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return False, ""
        finally:
            connection.close()


def _hide_login(upstream: object) -> None:
    """Hand the upstream's login to the services where a list of processes does not show it."""
    if isinstance(upstream, Origin) and upstream.login is not None:
        os.environ[USERNAME_VARIABLE] = upstream.login.username
        os.environ[PASSWORD_VARIABLE] = upstream.login.password


def _default_state(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "weir"


def _names(of: Sequence[Flag]) -> list[str]:
    return [flag.name for flag in of]


def _command(module: str, names: Sequence[str], values: Mapping[str, object]) -> list[str]:
    return [sys.executable, "-m", module, *_words(names, values)]


def _words(names: Sequence[str], values: Mapping[str, object]) -> list[str]:
    given = ((name, values[name.replace("-", "_")]) for name in names)
    return [f"--{name}={value}" for name, value in given if value is not None]


def _locked(state: Path) -> IO[str]:
    """Take the state folder for this process, until the returned file is closed."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (state / "up.lock").open("a+")
    except OSError as error:
        raise BadFlag(f"--state: {str(state)!r} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise BadFlag(
            f"--state: {str(state)!r} is in use by another weir up; choose another folder"
        ) from None
    return lock


def _free_port(host: str, port: int) -> int:
    """Check that `port` can be had, and find one if it is 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                raise BadFlag(
                    f"--host: {host!r} is not allowed; allowed is an address of this machine"
                ) from error
            raise BadFlag(
                f"--port: {port} on {host} cannot be had ({error.strerror}); "
                "stop what uses it, or choose another port (0: any free one)"
            ) from error
        return int(probe.getsockname()[1])


def _bus_folder(state: Path) -> AbstractContextManager[str]:
    """Return where the sockets go: under the state folder, unless its path is too long."""
    folder = state / "bus"
    try:
        Endpoints.parse(f"ipc://{folder}")
    except InvalidEndpoint:
        return tempfile.TemporaryDirectory(prefix="weir-")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BadFlag(f"--state: {str(folder)!r} cannot be used: {error.strerror}") from error
    return nullcontext(str(folder))
