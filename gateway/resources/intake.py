"""The bodies of requests: the limit of each, and the memory of all in a worker."""

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
"""A body up to this size is always accepted."""
_RETRY_AFTER_S = 1

T = TypeVar("T")


class BodyIntake:
    """Reads bodies. The memory of a body counts until its command is answered.

    Args:
        most: the limit of a prompt's body; all bodies together may hold twice as much.

    Attributes:
        held: bytes of all bodies in memory.
    """

    def __init__(self, most: int) -> None:
        self.held = 0
        self._prompt = Limit(most, MAX_MESSAGE)

    @contextmanager
    def prompt(self, req: Request, decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
        """Read the body of a prompt, and hold it during the block.

        Raises:
            BadRequest: the body is wrong.
            BoundReached: it is too long, or all bodies together hold too much.
        """
        with self._held(req, self._prompt) as body:
            yield decode_body(body.pop(), decoder)

    @contextmanager
    def small(
        self, req: Request, decoder: msgspec.json.Decoder[T], default: T | None = None
    ) -> Iterator[T]:
        """Read the body of any other request, and hold it during the block.

        Args:
            req: the request.
            decoder: of its body.
            default: replaces an empty body; None: the body must not be empty.
        """
        with self._held(req, SMALL) as body:
            data = body.pop()
            yield default if default is not None and not data else decode_body(data, decoder)

    @contextmanager
    def _held(self, req: Request, limit: Limit) -> Iterator[list[bytes]]:
        """Yield a body in a list, from which the caller removes it to free its memory."""
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
