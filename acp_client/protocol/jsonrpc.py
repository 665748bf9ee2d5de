"""JSON-RPC 2.0 with one message on each line: decodes and encodes the lines. No I/O.

Rules for an incoming line:

1. A line that is not JSON is a parse error; JSON that is not a message is an invalid request. The
   error that is sent as the answer has the id that is in the line, or null if there is none.
2. `params` are passed on as JSON; the handler of the method decodes them.
3. Blank lines and byte order marks are ignored.
4. Half of a UTF-16 surrogate pair, which JavaScript can send, is read as U+FFFD.
5. A request with JSON that is nested too deep is answered with an error. An answer with JSON that
   is nested too deep is treated as an answer with an error.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from acp_client.protocol.shapes import learned
from bus import depth
from bus.json import mended

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
CANCELLED = -32800
NOT_FOUND = -32002

Id = int | str | None


class RpcError(Exception):
    """An error of JSON-RPC: a code, a message for a person, and optional data."""

    def __init__(self, code: int, message: str, data: Any = UNSET) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class RpcRequest(Struct):
    """A request of the editor, which waits for an answer with the same id."""

    id: Id
    method: str
    params: Raw


class Notification(Struct):
    """A notification of the editor: a message without an id, which is not answered."""

    method: str
    params: Raw


class Response(Struct):
    """The editor's answer to a request of the agent: a result, or an error."""

    id: Id
    result: Raw
    error: RpcError | None = None


class Invalid(Struct):
    """A line that is no message of JSON-RPC, with the error to send as the answer."""

    id: Id
    error: RpcError


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

Incoming = RpcRequest | Notification | Response | Invalid


class _Error(Struct, omit_defaults=True):
    code: int
    message: str
    data: Any = UNSET


class _AnyMessage(Struct):
    jsonrpc: Any = None
    id: Any = UNSET
    method: Any = UNSET
    params: Raw = Raw(b"{}")
    result: Raw | UnsetType = UNSET
    error: Any = UNSET


class _OutgoingCall(Struct, omit_defaults=True):
    jsonrpc: str
    method: str
    params: Any
    id: Id | UnsetType = UNSET


class _OutgoingAnswer(Struct, omit_defaults=True):
    jsonrpc: str
    id: Id
    result: Any = UNSET
    error: _Error | UnsetType = UNSET


_decode = msgspec.json.Decoder(_AnyMessage).decode
_encode = msgspec.json.Encoder().encode


def parse(line: bytes) -> Incoming | None:
    """Decode the message in a line; None if the line is blank."""
    line = line.removeprefix(_BYTE_ORDER_MARK)
    if not line.strip():
        return None
    if depth.too_deep(line):
        return _too_deep(line)
    try:
        line.decode()
        wire = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            wire = _decode(mended(line))
        except (msgspec.DecodeError, ValueError):
            return _not_a_message(line, error)
    return _message(wire)


def request(id: Id, method: str, params: Any) -> bytes:
    """Encode a request as a line."""
    return _encode(_OutgoingCall("2.0", method, params, id)) + b"\n"


def notification(method: str, params: Any) -> bytes:
    """Encode a notification as a line."""
    return _encode(_OutgoingCall("2.0", method, params)) + b"\n"


def result(id: Id, value: Any) -> bytes:
    """Encode the answer to a request as a line."""
    return _encode(_OutgoingAnswer("2.0", id, result=value)) + b"\n"


def error(id: Id, problem: RpcError) -> bytes:
    """Encode an error as the answer to a request, as a line."""
    wire = _Error(problem.code, problem.message, problem.data)
    return _encode(_OutgoingAnswer("2.0", id, error=wire)) + b"\n"


def _too_deep(line: bytes) -> Incoming | None:
    problem = RpcError(INVALID_REQUEST, str(depth.TooDeep(depth.MOST_LEVELS)))
    try:
        message = parse(depth.fold(line, depth.MOST_LEVELS).json)
    except depth.TooDeep:
        return Invalid(None, problem)
    if isinstance(message, Response):
        return Response(message.id, Raw(b"null"), problem)
    if isinstance(message, RpcRequest | Notification):
        return Invalid(message.id if isinstance(message, RpcRequest) else None, problem)
    return message


def _not_a_message(line: bytes, error: Exception) -> Invalid:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        words = f"the line is not JSON in UTF-8: {error}"
        return Invalid(_id_in(line), RpcError(PARSE_ERROR, words))
    words = f"the line is not a JSON-RPC message: {error}"
    return Invalid(None, RpcError(INVALID_REQUEST, words))


def _id_in(line: bytes) -> Id:
    """Return the id in a line that is not valid JSON, read leniently; None if there is none.

    The editor waits for an answer with this id, and gets the error.
    """
    try:
        message = json.loads(line.decode(errors="replace"), strict=False)
    except ValueError:
        return None
    id = message.get("id") if isinstance(message, dict) else None
    return id if _is_id(id) else None


def _is_id(id: Any) -> bool:
    return id is None or (isinstance(id, int | str) and not isinstance(id, bool))


def _message(wire: _AnyMessage) -> Incoming:
    if wire.id is not UNSET and not _is_id(wire.id):
        return _invalid(None, "id is neither a whole number, text nor null")
    id = None if wire.id is UNSET else wire.id
    if wire.jsonrpc != "2.0":
        return _invalid(id, "jsonrpc is not '2.0'")
    if isinstance(wire.method, str):
        if wire.id is UNSET:
            return Notification(wire.method, wire.params)
        return RpcRequest(id, wire.method, wire.params)
    if wire.method is not UNSET:
        return _invalid(id, "method is not text")
    if wire.id is not UNSET and wire.error is not UNSET and wire.error is not None:
        return Response(id, Raw(b"null"), _problem(wire.error))
    if wire.id is not UNSET and not isinstance(wire.result, UnsetType):
        return Response(id, wire.result)
    return _invalid(id, "there is no method, and no result or error to a request")


def _invalid(id: Id, words: str) -> Invalid:
    return Invalid(id, RpcError(INVALID_REQUEST, words))


def _problem(error: Any) -> RpcError:
    try:
        given = msgspec.convert(error, learned(_Error))
    except msgspec.ValidationError:
        return RpcError(INTERNAL_ERROR, str(error))
    return RpcError(given.code, given.message, given.data)
