"""A real Redis for the tests of a module, emptied before each."""

import pytest

from tests.redis_server import PROGRAM, redis_server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if PROGRAM is None:
        pytest.skip("redis-server is not installed")
    with redis_server(tmp_path_factory.mktemp("redis")) as one:
        yield one


@pytest.fixture
def client(server):
    with server.client() as one:
        one.flushall()
        yield one
