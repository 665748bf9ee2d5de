"""Failures of the client and of the upstream, and the errors that the client gets."""

from __future__ import annotations


class ClientGone(Exception):
    """The client has left: no answer can be sent."""


class Refusal(Exception):
    """The request is answered here, with an error.

    Args:
        status: of the answer.
        message: the reason in words.
        headers: of the answer, beside those of every error.
        bound: the name of the bound that is reached, if there is one.
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
    """The upstream could not be reached, or cut its answer off (502)."""

    def __init__(self, message: str) -> None:
        super().__init__(502, message)


class UpstreamSilent(Refusal):
    """The upstream sent nothing for too long (504)."""

    def __init__(self, message: str) -> None:
        super().__init__(504, message)
