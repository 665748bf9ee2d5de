"""The bodies of requests: how long each may be, and how much all of them may hold in a worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
from falcon import Request

from gateway.errors import BoundReached
from gateway.resources.body import SMALL, Limit, decode_body, read_body

MAX_MESSAGE = "--max-message"
_AT_ONCE = 2
_FREE_BYTES = 64 * 1024
"""A body that is not longer always finds room."""
_RETRY_AFTER_S = 1

T = TypeVar("T")


class BodyIntake:
    """Takes bodies in. What a body takes is held until the command in it is answered.

    Args:
        most: how long the body of a prompt may be; all bodies may hold twice as much.

    Attributes:
        held: bytes of all bodies that are held.
    """

    def __init__(self, most: int) -> None:
        self.held = 0
        self._prompt = Limit(most, MAX_MESSAGE)

    @contextmanager
    def prompt(self, req: Request, decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
        """Hold the body of a prompt.

        Raises:
            BadRequest: something in it is wrong.
            BoundReached: it is too long, or there is no room now.
        """
        with self._held(req, self._prompt) as body:
            yield decode_body(body.pop(), decoder)

    @contextmanager
    def small(
        self, req: Request, decoder: msgspec.json.Decoder[T], default: T | None = None
    ) -> Iterator[T]:
        """Hold the body of any other request likewise.

        Args:
            req: the request.
            decoder: of its body.
            default: stands for an empty body; None: the body must not be empty.
        """
        with self._held(req, SMALL) as body:
            data = body.pop()
            yield default if default is not None and not data else decode_body(data, decoder)

    @contextmanager
    def _held(self, req: Request, limit: Limit) -> Iterator[list[bytes]]:
        """Yield a body in a list; taken out of it, the body is not held beside what it says."""
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            taken += count
            self.held += count
            if taken > _FREE_BYTES and self.held > _AT_ONCE * self._prompt.size:
                raise BoundReached(
                    503,
                    f"bodies that are being read hold more than {_AT_ONCE} times the "
                    f"{self._prompt.size} bytes of {MAX_MESSAGE}; try again",
                    MAX_MESSAGE,
                    _RETRY_AFTER_S,
                )

        try:
            yield [read_body(req, limit, take)]
        finally:
            self.held -= taken
