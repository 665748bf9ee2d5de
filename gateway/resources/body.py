"""Reads a request's body within a limit, and decodes it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, get_args

import msgspec
from falcon import Request
from msgspec import Struct

from bus import depth
from bus.bodies import PartInput
from bus.json import mended
from bus.transport.sockets import MAX_COMMAND_BYTES
from gateway.errors import BadRequest, BoundReached
from gateway.proxy.failures import Refusal

MAX_BODY_BYTES = 32 * 1024 * 1024
"""The size limit of a prompt's body, unless ``--max-message`` is given."""
SMALL_BODY_BYTES = 1024 * 1024
"""The size limit of the bodies of all other requests."""
_STEP_BYTES = 1024 * 1024
_PART_TYPES = ", ".join(part.__struct_config__.tag for part in get_args(PartInput))

T = TypeVar("T")


class Limit(Struct, frozen=True):
    """The size limit of a body in bytes, and its name for the error message."""

    size: int
    name: str


SMALL = Limit(SMALL_BODY_BYTES, "bodies other than prompts")
_ON_THE_BUS = Limit(MAX_COMMAND_BYTES - 64 * 1024, "commands on the bus")


def read_body(req: Request, limit: Limit, take: Callable[[int], None]) -> bytes:
    """Return the whole body of a request, whether it has a ``Content-Length`` or comes in chunks.

    Args:
        req: the request.
        limit: the size limit of the body.
        take: called with the size of each received piece; may raise an error to refuse the body.

    Raises:
        BoundReached: the body is longer than `limit`.
        BadRequest: the body ends early, or its framing is not valid HTTP.
    """
    announced = req.content_length
    if announced is None and not req.env.get("wsgi.input_terminated"):
        return b""
    _check_size(announced or 0, limit)
    try:
        body = _read(req, limit.size + 1 if announced is None else announced, take)
    except (BoundReached, Refusal):
        raise
    except Exception as error:
        # The connection broke, or the HTTP server found bad framing and raised its own error.
        raise BadRequest(f"the body could not be read: {error}", "Body") from error
    _check_size(len(body), limit)
    if announced is not None and len(body) < announced:
        raise BadRequest(f"the body ended after {len(body)} of {announced} bytes", "Body")
    return body


def decode_body(body: bytes, decoder: msgspec.json.Decoder[T], what: str = "the body") -> T:
    """Decode a JSON body, or other JSON; `what` is its name in error messages.

    Raises:
        BadRequest: `body` is not JSON, or one of its fields is wrong; the error names the field.
        BoundReached: the value is too large for a command.
    """
    if not body.strip():
        raise BadRequest(f"{what} is empty; a JSON object is expected", "Body")
    try:
        depth.check(body)
        value = _decoded(body, decoder)
        # Commands are sent as msgpack, whose integers have 64 bits: larger integers are refused.
        size = len(msgspec.msgpack.encode(value))
    except msgspec.ValidationError as error:
        raise _invalid(str(error), what) from error
    except msgspec.DecodeError as error:
        raise BadRequest(f"{what} is not JSON: {error}", "Body") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{what} is not UTF-8: {error.reason}", "Body") from error
    except depth.TooDeep as error:
        raise BadRequest(f"{what} is {error}", "Body") from error
    except OverflowError as error:
        raise BadRequest(f"{what} has an integer of more than 64 bits", "Body") from error
    _check_size(size, _ON_THE_BUS)
    return value


def _decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode JSON; half a surrogate pair (an escape that JavaScript may send) becomes U+FFFD."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        with suppress(ValueError):
            body = mended(body)
        return decoder.decode(body)


def _check_size(size: int, limit: Limit) -> None:
    if size > limit.size:
        message = f"the body is over the limit of {limit.size} bytes ({limit.name})"
        raise BoundReached(413, message, limit.name)


def _read(req: Request, limit: int, take: Callable[[int], None]) -> bytes:
    stream = req.env["wsgi.input"]
    body = bytearray()
    while len(body) < limit:
        piece = stream.read(min(_STEP_BYTES, limit - len(body)))
        if not piece:
            break
        take(len(piece))
        body += piece
    return bytes(body)


def _invalid(said: str, what: str) -> BadRequest:
    """Return an error from msgspec's message (``… - at `$.parts[0].text```), the field first."""
    reason, _, path = said.rpartition(" - at `$")
    if not reason:
        reason, path = said, ""
    field = path.rstrip("`").lstrip(".")
    _, _, missing = reason.partition("missing required field ")
    if missing:
        field = f"{field}.{missing.strip('`')}".lstrip(".")
    if field.endswith("].type"):
        reason += f"; allowed: {_PART_TYPES}"
    return BadRequest(f"{field or what}: {reason}", "Body", field or None)
