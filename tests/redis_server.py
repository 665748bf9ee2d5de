"""A real Redis, on a free port, with its data in a temporary folder."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.ports import free_port
from tests.processes import DEADLINE_S, wait_until

PROGRAM = shutil.which("redis-server") or shutil.which("valkey-server")
_STOP_S = 60.0


class RedisServer:
    """One server.

    Attributes:
        port: where it listens.
        password: what clients must say; empty for none.
    """

    def __init__(self, folder: Path, password: str = "", *settings: str) -> None:
        self.port = free_port()
        self.password = password
        self._folder = folder
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of a bus in it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """Return a client of the test's own."""
        password = self.password or None
        return redis.Redis(port=self.port, password=password, socket_timeout=DEADLINE_S)

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        command = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(self._folder), "--enable-debug-command", "yes", *self._settings]
        if self.password:
            command += ["--requirepass", self.password]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self._answers, what="an answer of Redis")

    def kill(self) -> None:
        """Kill it; what it had is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(_STOP_S)
            self._process = None

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@contextmanager
def redis_server(folder: Path, password: str = "", *settings: str) -> Iterator[RedisServer]:
    """Run a Redis for the time of a ``with`` block."""
    server = RedisServer(folder, password, *settings)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that the tests of a module share."""
    if PROGRAM is None:
        pytest.skip("redis-server is not installed")
    with redis_server(tmp_path_factory.mktemp("redis")) as one:
        yield one


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    """A client of this Redis, which is emptied before each test."""
    with server.client() as one:
        one.flushall()
        yield one
