"""The address of a bus over Redis, its flags, and the login there."""

from __future__ import annotations

import re
from importlib.util import find_spec
from urllib.parse import urlsplit

from msgspec import Struct

from bus.process import flags
from bus.process.flags import BadFlag, Flag, Kind
from bus.transport.endpoints import InvalidEndpoint

ALLOWED = (
    "redis://HOST:PORT/DB, rediss://HOST:PORT/DB or redis+sentinel://HOST:PORT,HOST:PORT/NAME"
)
EXTRA = "the extra is not installed: pip install 'weir-events[redis]'"
REDIS_USERNAME = Flag("redis-username", flags.text("a name"), None, "the user name at Redis")
REDIS_PASSWORD = Flag(
    "redis-password", flags.text("a password"), None, "the password at Redis", secret=True
)
_SCHEMES = ("redis", "rediss", "redis+sentinel")
_PORTS = {"redis": 6379, "rediss": 6379, "redis+sentinel": 26379}
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class RedisLogin(Struct, frozen=True):
    """User name and password at Redis; each None if there is none."""

    username: str | None = None
    password: str | None = None


class RedisAddress(Struct, frozen=True):
    """Where Redis is.

    Attributes:
        url: as given, without a login.
        scheme: ``redis``, ``rediss`` (TLS) or ``redis+sentinel``.
        hosts: the servers or the sentinels, each with its port.
        database: the number of the database.
        name: of the primary, as the sentinels know it; empty without sentinels.
    """

    url: str
    scheme: str
    hosts: tuple[tuple[str, int], ...]
    database: int = 0
    name: str = ""

    def __str__(self) -> str:
        return self.url

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """Parse an address.

        Raises:
            InvalidEndpoint: `url` is not an address of this kind, or the extra is not installed.
        """
        try:
            address = cls._parsed(url)
        except ValueError:
            raise InvalidEndpoint(f"{_shown(url)!r}: allowed is {ALLOWED}") from None
        if find_spec("redis") is None:
            raise InvalidEndpoint(f"{url!r}: {EXTRA}")
        return address

    @classmethod
    def _parsed(cls, url: str) -> RedisAddress:
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError
        hosts = tuple(_host(one, _PORTS[parts.scheme]) for one in parts.netloc.split(","))
        steps = [step for step in parts.path.split("/") if step]
        name = ""
        if parts.scheme == "redis+sentinel":
            name = steps.pop(0) if steps else ""
            if not _NAME.fullmatch(name):
                raise ValueError
        elif len(hosts) > 1:
            raise ValueError
        database = int(steps.pop(0)) if steps else 0
        if steps or not 0 <= database < 16384:
            raise ValueError
        return cls(url, parts.scheme, hosts, database, name)


def is_redis(url: str) -> bool:
    """Return whether a bus address is one of Redis."""
    return url.partition("://")[0] in _SCHEMES


def _host(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError
    return parts.hostname, parts.port or port


def _shown(url: str) -> str:
    """Return an address without its login, for an error message."""
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://…@{tail}" if at else url


def _checked(value: str) -> RedisAddress:
    try:
        return RedisAddress.parse(value)
    except InvalidEndpoint as error:
        raise BadFlag(str(error)) from None


REDIS = Kind(_checked, ALLOWED)
