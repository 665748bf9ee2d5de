"""The body of a request: read within a limit, decoded with its faults named."""

from __future__ import annotations

from contextlib import suppress
from typing import TypeVar, get_args

import falcon
import msgspec
from falcon import Request

from bus import depth
from bus.bodies import PartInput
from bus.json import mended
from gateway.errors import BadRequest

MAX_BODY_BYTES = 32 * 1024 * 1024
_STEP_BYTES = 1024 * 1024
_PART_TYPES = ", ".join(part.__struct_config__.tag for part in get_args(PartInput))

T = TypeVar("T")


def read_body(req: Request) -> bytes:
    """The whole body, whether its length was announced or it comes in chunks.

    Raises:
        falcon.HTTPContentTooLarge: it is longer than `MAX_BODY_BYTES`.
        BadRequest: it ends early or is not framed as HTTP has it.
    """
    announced = req.content_length
    if announced is None and not req.env.get("wsgi.input_terminated"):
        return b""
    _check_size(announced or 0)
    try:
        body = _read(req, MAX_BODY_BYTES + 1 if announced is None else announced)
    except Exception as error:
        # A connection that breaks, and each HTTP server's own words for bad framing.
        raise BadRequest(f"the body could not be read: {error}", "Body") from error
    _check_size(len(body))
    if announced is not None and len(body) < announced:
        raise BadRequest(f"the body ended after {len(body)} of {announced} bytes", "Body")
    return body


def decode_body(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a JSON body.

    Raises:
        BadRequest: it is not JSON, or a field of it, which is named, is wrong.
    """
    if not body.strip():
        raise BadRequest("the body is empty; a JSON object is expected", "Body")
    try:
        depth.check(body)
        value = _decoded(body, decoder)
        # The bus has narrower numbers than JSON: what it cannot carry is the sender's fault.
        msgspec.msgpack.encode(value)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except msgspec.DecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}", "Body") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8: {error.reason}", "Body") from error
    except depth.TooDeep as error:
        raise BadRequest(f"the body is {error}", "Body") from error
    except OverflowError as error:
        raise BadRequest("the body has an integer of more than 64 bits", "Body") from error
    return value


def _decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode; half a surrogate pair, which JavaScript can send, becomes U+FFFD."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        with suppress(ValueError):
            body = mended(body)
        return decoder.decode(body)


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise falcon.HTTPContentTooLarge(
            description=f"the body is over the limit of {MAX_BODY_BYTES} bytes"
        )


def _read(req: Request, limit: int) -> bytes:
    stream = req.env["wsgi.input"]
    body = bytearray()
    while len(body) < limit:
        piece = stream.read(min(_STEP_BYTES, limit - len(body)))
        if not piece:
            break
        body += piece
    return bytes(body)


def _invalid(said: str) -> BadRequest:
    """Put msgspec's words, ``… - at `$.parts[0].text```, the other way round: field first."""
    reason, _, path = said.rpartition(" - at `$")
    if not reason:
        reason, path = said, ""
    field = path.rstrip("`").lstrip(".")
    _, _, missing = reason.partition("missing required field ")
    if missing:
        field = f"{field}.{missing.strip('`')}".lstrip(".")
    if field.endswith("].type"):
        reason += f"; allowed: {_PART_TYPES}"
    return BadRequest(f"{field or 'the body'}: {reason}", "Body", field or None)
