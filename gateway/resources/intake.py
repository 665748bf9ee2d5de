"""Reads the bodies of requests; limits each body, and the memory of all bodies in a worker."""

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
"""A body up to this size is accepted even if all bodies together have too many bytes."""
_RETRY_AFTER_S = 1

T = TypeVar("T")


class BodyIntake:
    """Reads bodies; counts the bytes of each body until its command is answered.

    Args:
        most: the limit of a prompt's body in bytes; all bodies together may have twice as much.

    Attributes:
        held: the bytes of all bodies that are counted now.
    """

    def __init__(self, most: int) -> None:
        self.held = 0
        self._prompt = Limit(most, MAX_MESSAGE)

    @contextmanager
    def prompt(self, req: Request, decoder: msgspec.json.Decoder[T]) -> Iterator[T]:
        """Read and decode the body of a prompt; its bytes are counted during the block.

        Raises:
            BadRequest: the body cannot be read or decoded.
            BoundReached: the body is too long, or all bodies together have too many bytes.
        """
        with self._held(req, self._prompt) as body:
            yield decode_body(body.pop(), decoder)

    @contextmanager
    def small(
        self, req: Request, decoder: msgspec.json.Decoder[T], default: T | None = None
    ) -> Iterator[T]:
        """Read and decode the body of any other request (see `prompt`).

        Args:
            req: the request.
            decoder: decodes the body.
            default: the value for an empty body; None: the body must not be empty.
        """
        with self._held(req, SMALL) as body:
            data = body.pop()
            yield default if default is not None and not data else decode_body(data, decoder)

    @contextmanager
    def _held(self, req: Request, limit: Limit) -> Iterator[list[bytes]]:
        """Yield a list with the body; the caller takes the body out, so that it can be freed."""
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
