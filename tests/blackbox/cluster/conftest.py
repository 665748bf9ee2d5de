"""A cluster on one machine: a Redis, two processors, and two gateways that share nothing else."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.blackbox.gateway_on_bus import temporary_folder
from tests.blackbox.weir_up import Up
from tests.http_client import call
from tests.processes import Running, running, wait_until
from tests.redis_server import PROGRAM, RedisServer, redis_server

PASSWORD = "a-password-of-redis"


class Cluster:
    """What runs.

    Attributes:
        redis: the engine.
        a: a gateway with a processor beside it, started by `weir up`.
        b: a gateway alone, started by `weir gateway`.
        second: the other processor, started by `weir processor`.
    """

    def __init__(self, redis: RedisServer, a: Up, b: Up, second: Running) -> None:
        self.redis = redis
        self.a = a
        self.b = b
        self.second = second

    def sessions_of_both(self) -> list[str]:
        """Make sessions until each processor has one; return one of each."""
        found, made = dict[str, str](), list[str]()

        def both() -> bool:
            session = self.a.session()
            made.append(session)
            # A turn makes its processor the busier one, so the next session is made elsewhere.
            self.a.patiently("POST", f"/session/{session}/prompt_async", SLOW)
            found[self.home(session)] = session
            return len(found) == 2

        wait_until(both, what="a session of each processor")
        for session in made:
            self.a.patiently("POST", f"/session/{session}/abort")
        return list(found.values())

    def home(self, session: str) -> str:
        """Return which processor has a session: its events lie in this stream."""
        with self.redis.client() as client:
            return wait_until(
                lambda: next(
                    (
                        key.decode()
                        for key in client.scan_iter("weir1:*:log")
                        if any(session.encode() in row[b"b"] for row in _frames(client, key))
                    ),
                    "",
                )
            )


SLOW = {"parts": [{"type": "text", "text": "rate 1 1000"}]}


def _frames(client, key):
    return [fields for _, fields in client.xrange(key) if b"b" in fields]


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Run a cluster for the time of a ``with`` block."""
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(folder, PASSWORD))
        env = {"WEIR_REDIS_PASSWORD": PASSWORD}

        def started(name: str, *command: str) -> Running:
            words = ["-m", "deploy.cli", *command, "--bus", redis.url]
            words += ["--state", str(folder / name)]
            return stack.enter_context(running(*words, log=folder / f"{name}.log", env=env))

        serving = ["--port", "0", "--workers", "1"]
        second = started("second", "processor")
        a = started("a", "up", *serving)
        b = started("b", "gateway", *serving)
        both = Cluster(redis, Up(a), Up(b), second)
        for one in (both.a, both.b):
            wait_until(lambda one=one: _sources(one) == 2, what="both processors at a gateway")
        yield both


def _sources(up: Up) -> int:
    return len(call("GET", f"{up.url}/weir/status").body["sources"])


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    """A cluster that the tests of a module share, and leave whole."""
    if PROGRAM is None:
        pytest.skip("redis-server is not installed")
    with temporary_folder() as folder, cluster(folder) as one:
        yield one
