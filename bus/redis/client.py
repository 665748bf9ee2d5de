"""Connections to Redis, made by the library ``redis``.

Rules:

1. The library repeats nothing: a repeated write could double a command. Callers repeat what may be
   repeated.
2. Every call ends: sockets have a timeout that is longer than the longest blocking command.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bus.redis.address import RedisAddress, RedisLogin

BLOCK_S = 1.0
"""How long a blocking command waits in Redis, in seconds."""
_CONNECT_S = 3.0
_ANSWER_S = BLOCK_S + 4.0

RedisClient = Any
"""A `redis.Redis`; its own types do not say that all answers here are bytes."""
RedisFailed = (redis.RedisError, OSError)
"""What a call raises if Redis cannot be reached, or refuses it."""


def connect(address: RedisAddress, login: RedisLogin) -> RedisClient:
    """Return a client; it connects with its first command."""
    options: dict[str, Any] = {
        "db": address.database,
        "username": login.username,
        "password": login.password,
        "socket_connect_timeout": _CONNECT_S,
        "socket_timeout": _ANSWER_S,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if address.name:
        sentinel: Any = redis.Sentinel(  # type: ignore[no-untyped-call]
            list(address.hosts),
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=_ANSWER_S,
        )
        return sentinel.master_for(address.name, **options)
    (host, port), *_ = address.hosts
    return redis.Redis(host=host, port=port, ssl=address.scheme == "rediss", **options)


def words(error: Exception) -> str:
    """Return an error of a call as one line for people."""
    return " ".join(str(error).split()) or type(error).__name__
