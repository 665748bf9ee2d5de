"""Errors that end a request: the client has left, or weir answers with an error of its own."""

from __future__ import annotations


class ClientGone(Exception):
    """The client has disconnected, so no answer can be sent."""


class Refusal(Exception):
    """The gateway answers a request with an error of its own.

    Args:
        status: the HTTP status of the answer.
        message: the reason, for the client.
        headers: headers of the answer, beside the headers that every error has.
        bound: the name of the limit that is reached (``--max-readers``); None: the reason is not a
            limit.
    """

    def __init__(
        self,
        status: int,
        message: str,
        headers: tuple[tuple[str, str], ...] = (),
        bound: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers
        self.bound = bound


class UpstreamFailed(Refusal):
    """The upstream could not be reached, or broke off its answer (502)."""

    def __init__(self, message: str) -> None:
        super().__init__(502, message)


class UpstreamSilent(Refusal):
    """The upstream sent nothing for too long (504)."""

    def __init__(self, message: str) -> None:
        super().__init__(504, message)
