"""The command-line flags and environment variables of a gateway."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from bus.origin import UPSTREAM, Origin, login_from, with_login
from bus.process import flags
from bus.process.flags import REQUIRED, BadFlag, Flag, Kind
from bus.process.heart import NOTIFY_VARIABLE
from bus.process.login import Login
from bus.process.start_folder import start_folder
from bus.transport.endpoints import Endpoints
from bus.transport.secret import BUS_SECRET, check_secret
from gateway.access.people.file import IDENTITIES, IdentitiesFile
from gateway.access.people.keys import with_whole_keys
from gateway.base_path import AT_ROOT, BASE_PATH, BasePath
from gateway.door.networks import Networks
from gateway.hosts_and_origins import HOST_NAMES, WEB_ORIGINS, Names

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_NOT_A_NAME = ("authorization", "cookie", "host", "content-length", "transfer-encoding")
_BETWEEN_BUSES = re.compile(",(?=ipc://|tcp://)")  # not any comma: a path may have one


def _buses(value: str) -> tuple[Endpoints, ...]:
    found = tuple(map(Endpoints.parse, _BETWEEN_BUSES.split(value)))
    if len(set(found)) < len(found):
        raise ValueError
    return found


def _inherited(value: str) -> int:
    try:
        is_socket = stat.S_ISSOCK(os.fstat(int(value)).st_mode)
    except (OSError, OverflowError):
        is_socket = False
    if not is_socket:
        raise ValueError
    return int(value)


def _header_name(value: str) -> str:
    if not _HEADER.fullmatch(value) or value.lower() in _NOT_A_NAME:
        raise ValueError
    return value


MIB = 1024 * 1024
LONGEST_HOLD_S = 300
"""The longest time for which `GET /weir/hold` keeps a request open.

It is here because `weir doctor` needs it too, and must not import the resources.
"""
BUSES = Kind(_buses, "ipc:///FOLDER or tcp://LOOPBACK:PORT, several joined with commas")

FRAME_HZ = flags.number(0, 1000)

GATEWAY_FLAGS = (
    Flag(
        "host", flags.text("an address of this machine"), "127.0.0.1", "the address to listen on"
    ),
    Flag("port", flags.whole(0, 65535), 4097, "the port to listen on; 0: any free port"),
    Flag("base-path", BASE_PATH, None, "the URL path under which weir serves all its routes"),
    Flag(
        "tls-cert",
        flags.FILE,
        None,
        "the file with the certificate chain (PEM) for https; SIGHUP makes weir read it again",
    ),
    Flag(
        "tls-key",
        flags.FILE,
        None,
        "the file with the certificate's key (PEM, without a password)",
    ),
    Flag("workers", flags.whole(1, 64), 2, "how many gunicorn workers serve HTTP"),
    Flag(
        "heartbeat-ms",
        flags.whole(1000, 60000),
        10000,
        "the time between two heartbeats of an event stream, in milliseconds",
    ),
    Flag(
        "frame-hz",
        FRAME_HZ,
        30.0,
        "how many times a second an event stream gets more text of one part, at most (fewer for "
        "long texts); 0: no limit",
    ),
    Flag(
        "stall-timeout",
        flags.number(1, 3600, "seconds"),
        30.0,
        "how long the client of an event stream may read nothing before its connection is reset",
    ),
    Flag(
        "drain",
        flags.number(0, 60, "seconds"),
        2.0,
        "when a worker stops, it ends its event streams one by one, spread over this time",
    ),
    Flag(
        "max-readers",
        flags.whole(1, 100000),
        4096,
        "the most event streams of one worker; further streams get 503",
    ),
    Flag("max-message", flags.whole(1, 60), 32, "the largest prompt in MiB; larger ones get 413"),
    Flag(
        "trusted-proxies",
        Kind(Networks.parse, "addresses or networks, joined with commas"),
        None,
        "the proxies whose X-Forwarded-For, -Host and -Proto headers are believed",
    ),
    Flag(
        "cors",
        WEB_ORIGINS,
        None,
        "the web pages that may call weir, beside pages on localhost and those that the upstream "
        "allows",
        many=True,
    ),
    Flag(
        "allow-host",
        HOST_NAMES,
        None,
        "the host names by which clients may reach weir, beside the names of this machine",
        many=True,
    ),
    flags.switch(
        "open",
        "listen beyond this machine without a login or a token: everybody who reaches the port "
        "may do everything",
    ),
    Flag(
        "identities",
        IDENTITIES,
        None,
        "file that names the issuers of JWTs, and what each person may do",
    ),
    Flag(
        "trusted-user-header",
        Kind(_header_name, "the name of a header, such as X-Forwarded-User"),
        None,
        "the header in which the --trusted-proxies name the person; needs --identities",
    ),
    Flag(
        "principal-requests",
        flags.number(0, 100_000),
        0.0,
        "the most requests a second with one token or login to one worker; further requests get "
        "429; 0: no limit",
    ),
    Flag(
        "principal-streams",
        flags.whole(0, 100_000),
        0,
        "the most event streams of one token, person or login at one worker; further streams get "
        "429; 0: no limit",
    ),
    Flag(
        "principal-turns",
        flags.whole(0, 100_000),
        0,
        "the most sessions in which one token, person or login has a running turn, at one worker; "
        "further prompts get 429; 0: no limit",
    ),
    Flag(
        "principal-body",
        flags.whole(0, 1024),
        0,
        "the largest body of one request in MiB, also of requests to the upstream; larger ones "
        "get 413; 0: no limit",
    ),
    Flag(
        "command-timeout",
        flags.number(0.1, 60, "seconds"),
        10.0,
        "how long the gateway waits for the processor's answer to a request; then 504",
    ),
)
LOG_LEVEL = Flag(
    "log-level",
    flags.one_of("debug", "info", "warning", "error"),
    "info",
    "the least severe messages to log",
)
UPSTREAM_FLAGS = (
    Flag("upstream", UPSTREAM, None, "the URL of the opencode that weir runs in front of"),
    Flag(
        "upstream-timeout",
        flags.number(0.1, 86400, "seconds"),
        60.0,
        "how long the upstream may send nothing of an answer; then 504, unless its "
        "/global/health answers",
    ),
)
OWN_TOKEN = Flag(
    "own-token", flags.text("a token"), None, "token of the agent that weir up runs", secret=True
)
STATE = Flag("state", flags.FOLDER, None, "folder of the tokens and of audit.ndjson")
BUS = Flag("bus", BUSES, REQUIRED, "the processors' buses; the first also takes commands")
_LISTEN_FD = Flag(
    "listen-fd",
    Kind(_inherited, "the file descriptor of an open socket"),
    None,
    "an inherited socket that already listens, in place of --host and --port",
)
_WORKER_TIMEOUT = Flag(
    "worker-timeout",
    flags.whole(0, 86400),
    30,
    "seconds that a worker's event loop may be blocked; then it is killed; 0: no limit",
)
_FLAGS = (
    BUS,
    BUS_SECRET,
    STATE,
    OWN_TOKEN,
    *GATEWAY_FLAGS,
    *UPSTREAM_FLAGS,
    _LISTEN_FD,
    _WORKER_TIMEOUT,
    LOG_LEVEL,
)


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """A gateway's settings, as read at its start.

    Attributes:
        buses: the addresses of the processors; the first processor takes the commands.
        directory: the folder of requests that name no folder.
        frame_hz: at most so many deltas of a text are sent in a second after the first, if a
            stream does not choose another rate; 0: each at once.
        stall_timeout: seconds that the client of an event stream may read nothing.
        drain: seconds over which streams are ended when a worker stops.
        command_timeout: seconds to wait for a processor's answer.
        max_message: MiB that the body of a prompt may have.
        cors: more web pages that may call, beside those that always may.
        state: the folder of the tokens; None: there are no tokens.
        login: the user name and password that clients must give, to weir itself or as the upstream
            demands; None: no login.
        open: the gateway may listen beyond this machine without a login or a token.
        identities: the issuers of JWTs, and what each person may do; None: requests have tokens or
            the login, but name no person.
        trusted_user_header: the header in which a trusted proxy names the person that sends a
            request; None: no header is believed.
        principal_requests: most requests a second with one token or login to a worker; 0: no
            limit.
        principal_streams: most event streams of one token, person or login in a worker; 0: no
            limit.
        principal_turns: most sessions that one token, person or login has at work in a worker; 0:
            no limit.
        principal_body: most MiB in the body of one request; 0: no limit.
        allow_host: more host names by which clients may call this server.
        upstream: the opencode that answers all routes but weir's own; None: weir is the server.
        upstream_timeout: seconds that the upstream may be silent.
        trusted_proxies: proxies whose ``X-Forwarded-*`` headers are believed.
        worker_timeout: seconds that a worker's event loop may be blocked; 0: no limit.
        listen_fd: an inherited listening socket; None: open a socket.
        notify_socket: systemd's socket, for regular reports that the workers are not blocked;
            empty for none.
        bus_secret: the secret with which buses over TCP are encrypted.
        own_token: the token of the agent that `weir up` runs; None: there is no such agent.
    """

    buses: tuple[Endpoints, ...]
    directory: str
    host: str
    port: int
    workers: int
    heartbeat_ms: int
    frame_hz: float
    stall_timeout: float
    drain: float
    max_readers: int
    command_timeout: float
    max_message: int
    log_level: str
    base_path: BasePath = AT_ROOT
    tls_cert: Path | None = None
    tls_key: Path | None = None
    cors: Names | None = None
    state: Path | None = None
    login: Login | None = None
    open: bool = False
    allow_host: Names | None = None
    identities: IdentitiesFile | None = None
    trusted_user_header: str | None = None
    principal_requests: float = 0.0
    principal_streams: int = 0
    principal_turns: int = 0
    principal_body: int = 0
    upstream: Origin | None = None
    upstream_timeout: float = 60.0
    trusted_proxies: Networks = Networks()
    worker_timeout: int = 30
    listen_fd: int | None = None
    notify_socket: str = ""
    bus_secret: str | None = None
    own_token: str | None = None


def read(argv: Sequence[str], environ: Mapping[str, str]) -> GatewaySettings:
    """Return the settings from a command line and the environment.

    Raises:
        BadFlag: a flag is unknown, or its value is not allowed.
        HelpAsked: ``--help`` was given.
    """
    given = flags.read(argv, environ, _FLAGS)
    given["buses"] = given.pop("bus")
    check_identities(given)
    check_secret(given["buses"], given["bus_secret"])
    given["base_path"] = given["base_path"] or AT_ROOT
    given["trusted_proxies"] = given["trusted_proxies"] or Networks()
    upstream = given["upstream"] = with_login(given["upstream"], environ)
    given["login"] = login_from(environ) if upstream is None else upstream.login
    notify_socket = environ.get(NOTIFY_VARIABLE, "")
    return GatewaySettings(directory=start_folder(environ), notify_socket=notify_socket, **given)


def check_identities(given: Mapping[str, Any]) -> None:
    """Check that the flags which identify people are given together.

    Raises:
        BadFlag: ``--trusted-user-header`` lacks a flag that it needs, ``--identities`` has no
            effect, or a key of its file does not say which source names a person or a group.
    """
    header, identities = given["trusted_user_header"], given["identities"]
    for name in ("identities", "trusted_proxies"):
        if header is not None and not given[name]:
            flag = name.replace("_", "-")
            raise BadFlag(f"--trusted-user-header: {header!r} needs --{flag}")
    if identities is None:
        return
    if header is None and not identities.content.issuers:
        words = f'{str(identities)!r} has no "issuers", and --trusted-user-header is not given'
        raise BadFlag(f"--identities: {words}: the file would identify no person")
    try:
        with_whole_keys(identities.content, header is not None)
    except BadFlag as error:
        raise BadFlag(f"--identities: {str(identities)!r}: {error}") from None
