"""The settings of a processor, read once from flags and environment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from bus.agent_lines import NAME_PATTERN
from bus.origin import UPSTREAM, with_login
from bus.process.flags import (
    FOLDER,
    REQUIRED,
    BadFlag,
    Flag,
    Kind,
    number,
    one_of,
    read,
    text,
    whole,
)
from bus.process.heart import NOTIFY_VARIABLE
from bus.process.start_folder import as_text, home_folder
from bus.redis.address import (
    REDIS_PASSWORD,
    REDIS_USERNAME,
    RedisAddress,
    RedisLogin,
    is_redis,
)
from bus.transport.endpoints import Endpoints, InvalidEndpoint
from bus.transport.secret import BUS_SECRET, check_secret
from processor.native.allowance import ALLOWANCE_FLAGS, Allowance, allowance
from processor.native.bounds import BOUND_FLAGS, Bounds, bounds
from processor.proxies import ProviderProxy, proxy_for
from processor.tools.settings import TOOL_FLAGS, ToolSettings, tool_settings
from processor.upstream.settings import UpstreamSettings

_MIB = 1024 * 1024


class ModelSettings(Struct, frozen=True):
    """The model that answers.

    Attributes:
        url: base URL in the form of OpenAI SDKs, ``https://host/v1``, without a slash at its end.
        name: the model's name there.
        key: sent as a bearer token, None for a server that needs none.
        connect_timeout_s: how long a connection may take.
        read_timeout_s: how long the provider may send no output; comments do not count.
        retries: attempts after the first.
        answer_limit: bytes of text and reasoning in one answer.
        context: how many tokens the model can read.
        api: ``openai`` for chat completions, ``anthropic`` for messages.
        output: tokens that one answer may have; only sent to Anthropic's API.
        thinking: how many of these tokens may be thoughts, 0 for none; only for Anthropic's API.
        proxy: for the provider, None if there is none.
    """

    url: str
    name: str
    key: str | None = None
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 120.0
    retries: int = 4
    answer_limit: int = 16 * _MIB
    context: int = 128_000
    api: str = "openai"
    output: int = 32_000
    thinking: int = 0
    proxy: ProviderProxy | None = None


class ProcessorSettings(Struct, frozen=True):
    """All settings of a processor.

    Attributes:
        bus: the address at which gateways connect.
        state: where sessions are stored; None only with an upstream, which stores its own.
        model: the model that answers; None: the built-in demo.
        log_level: the lowest level that is logged.
        upstream: the opencode that runs the turns; None: this processor runs them.
        notify_socket: the socket of the service manager for signs of life; empty: none.
        bounds: the limits of its memory.
        home: the user's home folder, which clients ask for; ``/`` if there is none.
        agent: the name of an external agent that answers instead of a model.
        bus_secret: the secret of a bus over TCP.
        tools: what the tools of the model may use.
        allowance: which tools the model may call, and what they may do.
        redis_login: user name and password at Redis, for a bus there.
    """

    bus: Endpoints | RedisAddress
    state: Path | None
    model: ModelSettings | None = None
    log_level: str = "info"
    upstream: UpstreamSettings | None = None
    notify_socket: str = ""
    bounds: Bounds = Bounds()
    home: str = "/"
    agent: str | None = None
    bus_secret: str | None = None
    tools: ToolSettings = ToolSettings()
    allowance: Allowance = Allowance()
    redis_login: RedisLogin = RedisLogin()


def _bus(value: str) -> Endpoints | RedisAddress:
    try:
        return RedisAddress.parse(value) if is_redis(value) else Endpoints.parse(value)
    except InvalidEndpoint as error:
        raise BadFlag(str(error)) from None


def _url(value: str) -> str:
    parts = urlsplit(value)
    port_ok = parts.port is None or parts.port > 0
    if parts.username or parts.password:
        raise BadFlag("a login in the URL is not allowed; a key goes into WEIR_MODEL_API_KEY")
    plain = not (parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok or not plain:
        raise ValueError
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError
    return value.rstrip("/")


def _key(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError
    return value


def _thinking(value: str) -> int:
    tokens = int(value)
    if tokens and not 1024 <= tokens <= 1_000_000:
        raise ValueError
    return tokens


def _agent_name(value: str) -> str:
    if not re.match(NAME_PATTERN, value):
        raise ValueError
    return value


FLAGS: Sequence[Flag] = (
    Flag(
        "bus",
        Kind(_bus, "ipc:///FOLDER, tcp://LOOPBACK:PORT or redis://HOST:PORT/DB"),
        REQUIRED,
        "the address of the bus, at which gateways connect to this processor",
    ),
    BUS_SECRET,
    REDIS_USERNAME,
    REDIS_PASSWORD,
    Flag("state", FOLDER, None, "the folder for sessions; needed without --upstream"),
    Flag("upstream", UPSTREAM, None, "the URL of the opencode that weir runs in front of"),
    Flag(
        "upstream-silence",
        number(1, 300, "seconds"),
        30.0,
        "how long the event stream of the upstream may be silent before it is opened again",
    ),
    Flag(
        "model-url",
        Kind(_url, "http://HOST/v1 or https://HOST/v1, without a query"),
        None,
        "the URL of the model's API; without it, weir's built-in demo model answers",
    ),
    Flag("model", text("the name of a model"), None, "the name of the model at --model-url"),
    Flag(
        "model-api-key",
        Kind(_key, "ASCII without blanks"),
        None,
        "the API key for --model-url",
        secret=True,
    ),
    Flag(
        "model-connect-timeout",
        number(0.1, 300, "seconds"),
        10.0,
        "how long connecting to --model-url may take",
    ),
    Flag(
        "model-read-timeout",
        number(0.1, 3600, "seconds"),
        120.0,
        "how long the model may send nothing before its answer counts as failed",
    ),
    Flag(
        "model-retries",
        whole(0, 20),
        4,
        "how often a request to the model is repeated after a failure that may pass",
    ),
    Flag(
        "model-answer-limit",
        whole(1, 1024),
        16,
        "the most MiB of text and reasoning in one answer; a longer answer ends with an error",
    ),
    Flag(
        "model-api",
        one_of("openai", "anthropic"),
        None,
        "the kind of API at --model-url; without this flag, its host name decides",
    ),
    Flag(
        "model-output",
        whole(16, 1_000_000),
        32_000,
        "the most tokens in one answer, with --model-api anthropic",
    ),
    Flag(
        "model-thinking",
        Kind(_thinking, "0, or a whole number 1024 to 1000000"),
        0,
        "how many of the --model-output tokens the model may use to think; 0: no thinking",
    ),
    Flag(
        "model-context",
        whole(4096, 100_000_000),
        128_000,
        "how many tokens the model can read; earlier messages of a longer session are summarized",
    ),
    Flag(
        "agent-name",
        Kind(_agent_name, "1 to 64 of the characters A-Z a-z 0-9 . _ -"),
        None,
        "the name of an agent that connects from another process; its prompts wait until it "
        "connects",
    ),
    *ALLOWANCE_FLAGS,
    *BOUND_FLAGS,
    *TOOL_FLAGS,
    Flag(
        "log-level",
        one_of("debug", "info", "warning", "error"),
        "info",
        "the least severe messages to log",
    ),
)


def from_flags(argv: Sequence[str], environ: Mapping[str, str]) -> ProcessorSettings:
    """Return the settings from flags and environment.

    Raises:
        BadFlag: a flag is missing or not allowed.
        HelpAsked: ``--help`` was given.
    """
    values = read(argv, environ, FLAGS)
    if isinstance(values["bus"], Endpoints):
        check_secret([values["bus"]], values["bus_secret"])
    model, origin = _model(values, environ), with_login(values["upstream"], environ)
    upstream = None
    if origin is not None:
        if model is not None:
            raise BadFlag("--model-url: not allowed with --upstream, which has models of its own")
        if values["agent_name"] is not None:
            raise BadFlag("--agent-name: not allowed with --upstream, which has agents of its own")
        upstream = UpstreamSettings(origin, values["upstream_silence"])
    elif values["state"] is None:
        raise BadFlag("--state: missing; allowed is a folder")
    home = as_text(str(home_folder(environ) or "/"))
    return ProcessorSettings(
        values["bus"],
        values["state"],
        model,
        values["log_level"],
        upstream,
        environ.get(NOTIFY_VARIABLE, ""),
        bounds(values),
        home,
        values["agent_name"],
        values["bus_secret"],
        tool_settings(values, environ),
        allowance(values, home),
        RedisLogin(values["redis_username"], values["redis_password"]),
    )


def _model(values: Mapping[str, Any], environ: Mapping[str, str]) -> ModelSettings | None:
    url, name = values["model_url"], values["model"]
    if (url is None) != (name is None):
        missing, given = ("--model", "--model-url") if name is None else ("--model-url", "--model")
        raise BadFlag(f"{missing}: missing; {given} needs it")
    if url is None:
        return None
    return ModelSettings(
        url=url,
        name=name,
        key=values["model_api_key"],
        connect_timeout_s=values["model_connect_timeout"],
        read_timeout_s=values["model_read_timeout"],
        retries=values["model_retries"],
        answer_limit=values["model_answer_limit"] * _MIB,
        context=values["model_context"],
        api=values["model_api"] or _api_of(url),
        output=values["model_output"],
        thinking=values["model_thinking"],
        proxy=proxy_for(url, environ),
    )


def _api_of(url: str) -> str:
    """Return the API of the provider at this host: Anthropic's, or else chat completions."""
    host = urlsplit(url).hostname or ""
    return "anthropic" if f".{host}".endswith(".anthropic.com") else "openai"
