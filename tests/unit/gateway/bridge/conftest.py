"""A real Redis for the tests of a module, emptied before each."""

from tests.redis_server import client, server

__all__ = ["client", "server"]
