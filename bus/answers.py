"""The answers that a processor sends to a gateway's commands.

The body of an answer is the JSON for the HTTP client. The processor encodes this JSON, and the
gateway passes it on. A body of more than `PIECE_BYTES` is sent in pieces: the answer then has a
token, and the command `bus.commands.More` with this token returns the next piece. The processor
keeps no state between two pieces, so a slow client costs the processor nothing.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from msgspec import Struct

PIECE_BYTES = 1024 * 1024
"""The default size of one piece of an answer."""


class AnswerBody(NamedTuple):
    """A command's result: JSON, the previous page's cursor, and the next piece's token.

    `lacks` says what the JSON lacks, if a limit has ended the work early.
    """

    json: bytes
    cursor: str | None = None
    more: bytes | None = None
    lacks: str | None = None


class Done(Struct, array_like=True, tag=1):
    """The command succeeded; the fields are those of `AnswerBody`."""

    id: int
    body: bytes
    cursor: str | None = None
    more: bytes | None = None
    lacks: str | None = None


FailureKind = Literal[
    "invalid",
    "not_found",
    "conflict",
    "full",
    "unavailable",
    "unsupported",
    "no_room",
    "internal",
]


class Failed(Struct, array_like=True, tag=2):
    """The command failed; `message` gives the reason in words.

    `bound` names the limit that is reached, for example ``--max-turns``. `retry_after_s` says when
    to try again. `field` is the path of the wrong field in the command's body, for example
    ``parts[0].type``. Each is None if it does not apply.
    """

    id: int
    kind: FailureKind
    message: str
    bound: str | None = None
    retry_after_s: int | None = None
    field: str | None = None


Answer = Done | Failed


class CommandFailed(Exception):
    """The processor refused a command; the attributes are the fields of `Failed`."""

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        bound: str | None = None,
        retry_after_s: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.bound = bound
        self.retry_after_s = retry_after_s
        self.field = field

    @classmethod
    def of(cls, failed: Failed) -> CommandFailed:
        """Return the exception for a failure."""
        return cls(
            failed.kind,
            failed.message,
            bound=failed.bound,
            retry_after_s=failed.retry_after_s,
            field=failed.field,
        )

    def answer(self, request: int) -> Failed:
        """Return the failure as the answer to a request."""
        return Failed(request, self.kind, self.message, self.bound, self.retry_after_s, self.field)
