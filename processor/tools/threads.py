"""Threads for work on files, so that a slow disk or network share blocks no other greenlet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gevent.threadpool import ThreadPool
from msgspec import Struct

T = TypeVar("T")
THREADS = 8


class _Raised(Struct):
    error: Exception


class Threads:
    """A pool of `THREADS` threads; if all are busy, further work waits."""

    def __init__(self) -> None:
        self._pool = ThreadPool(THREADS)

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in a thread; return its result, or raise its exception."""
        # gevent prints an exception that is raised in a thread, so pass the exception as a value.
        found = self._pool.apply(_caught, (function, arguments))
        if isinstance(found, _Raised):
            raise found.error
        return found  # type: ignore[no-any-return]


def _caught(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        return _Raised(error)
