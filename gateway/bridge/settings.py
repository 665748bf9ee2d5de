"""The settings of a bridge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from bus.process.flags import REQUIRED, Flag, Kind, read
from bus.process.heart import NOTIFY_VARIABLE
from bus.redis.address import REDIS, REDIS_PASSWORD, REDIS_USERNAME, RedisAddress, RedisLogin
from bus.transport.endpoints import Endpoints
from gateway.settings import LOG_LEVEL


class BridgeSettings(Struct, frozen=True):
    """All settings of a bridge.

    Attributes:
        redis: the bus that all machines share.
        login: at Redis.
        bus: the bus of this machine, at which the gateway's workers connect.
        log_level: the lowest level that is logged.
        notify_socket: the socket of the service manager for signs of life; empty: none.
    """

    redis: RedisAddress
    login: RedisLogin
    bus: Endpoints
    log_level: str
    notify_socket: str = ""


_FLAGS = (
    Flag("redis", REDIS, REQUIRED, "the Redis that all machines share"),
    REDIS_USERNAME,
    REDIS_PASSWORD,
    Flag(
        "bus",
        Kind(Endpoints.parse, "ipc:///FOLDER"),
        REQUIRED,
        "the bus of this machine, at which the gateway connects",
    ),
    LOG_LEVEL,
)


def from_flags(argv: Sequence[str], environ: Mapping[str, str]) -> BridgeSettings:
    """Return the settings from flags and environment.

    Raises:
        BadFlag: a flag is missing or not allowed.
        HelpAsked: ``--help`` was given.
    """
    values = read(argv, environ, _FLAGS)
    login = RedisLogin(values["redis_username"], values["redis_password"])
    notify = environ.get(NOTIFY_VARIABLE, "")
    return BridgeSettings(values["redis"], login, values["bus"], values["log_level"], notify)
