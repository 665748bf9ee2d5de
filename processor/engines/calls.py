"""Puts together the tool calls of one answer, whose pieces arrive in any order.

Rules:

1. A piece belongs to the call with its index; a piece without an index to the call with its id; a
   piece without both to the last call.
2. Some providers give every call the same index. So a piece begins a new call if its id differs
   from the id of the call with its index, or if it has a name and that call's arguments are
   complete JSON.
3. A name may come late, twice, or in pieces before the arguments. Once arguments have come, the
   name does not change.
4. A call without a name is a call too: the turn reports the error to the model.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct, field

from bus import json
from processor.engines.engine import CallBegun, CallWhole

MOST_CALLS = 128
"""Calls in one answer; a provider that sends more is broken."""

_encode = msgspec.json.Encoder().encode


class CallPiece(Struct, frozen=True):
    """A piece of a call in one chunk; a field that the chunk does not have is empty."""

    index: int | None
    id: str
    name: str
    arguments: str


class _PartialCall(Struct):
    number: int
    index: int | None
    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    begun: bool = False


class TooManyCalls(ValueError):
    """The answer has more calls than `MOST_CALLS`."""


class CallReader:
    """Collects the calls of one answer."""

    def __init__(self) -> None:
        self._calls: list[_PartialCall] = []

    @property
    def names(self) -> list[str]:
        """The names of the called tools, as far as they have come."""
        return [call.name for call in self._calls]

    @property
    def are_whole(self) -> bool:
        """Whether there are calls, and the arguments of each are complete JSON."""
        return bool(self._calls) and all(_is_whole(call) for call in self._calls)

    def take(self, pieces: Iterable[CallPiece]) -> list[CallBegun]:
        """Add pieces; return the calls whose names are complete now.

        Raises:
            TooManyCalls: the answer has more calls than allowed.
        """
        begun = []
        for piece in pieces:
            call = self._call_of(piece)
            call.id = call.id or piece.id
            if piece.name != call.name and not (call.name and call.arguments):
                call.name += piece.name
            if piece.arguments:
                call.arguments.append(piece.arguments)
            named = [one for one in self._calls[:-1] if not one.begun]
            if call.arguments and not call.begun and call.name:
                named.append(call)
            begun += [_begun(one) for one in named if one.name and not one.begun]
        return begun

    def close(self) -> list[CallBegun | CallWhole]:
        """Return the calls that were not returned yet, then each call with its arguments."""
        begun = [_begun(call) for call in self._calls if not call.begun]
        whole = [CallWhole(call.number, _arguments(call)) for call in self._calls]
        return [*begun, *whole]

    def _call_of(self, piece: CallPiece) -> _PartialCall:
        call = self._found(piece)
        if call is not None and not _begins_another(piece, call):
            return call
        if len(self._calls) >= MOST_CALLS:
            raise TooManyCalls(f"the model calls more than {MOST_CALLS} tools at once")
        call = _PartialCall(len(self._calls), piece.index, piece.id)
        self._calls.append(call)
        return call

    def _found(self, piece: CallPiece) -> _PartialCall | None:
        newest = self._calls[::-1]
        if piece.index is not None:
            return next((one for one in newest if one.index == piece.index), None)
        if piece.id:
            return next((one for one in newest if one.id in ("", piece.id)), None)
        return newest[0] if newest else None


def pieces_of(said: dict[str, Any]) -> list[CallPiece]:
    """Return the pieces of calls in a delta or a message of a chat completion.

    Some providers send a call with empty fields together with each text; it is ignored.
    """
    calls = said.get("tool_calls") or said.get("function_call")
    if isinstance(calls, dict):
        calls = [calls]
    found = [_piece(one) for one in calls if isinstance(one, dict)] if calls else []
    return [one for one in found if one.id or one.name or one.arguments]


def _piece(call: dict[str, Any]) -> CallPiece:
    inner = call.get("function") or call.get("custom")
    fields = {**call, **inner} if isinstance(inner, dict) else call
    index = call.get("index")
    arguments = fields.get("arguments") or fields.get("input") or ""
    if not isinstance(arguments, str):
        arguments = _encode(arguments).decode()
    return CallPiece(
        index if isinstance(index, int) and not isinstance(index, bool) else None,
        _text(fields.get("id")),
        _text(fields.get("name")),
        arguments,
    )


def _text(value: Any) -> str:
    return json.well_formed(value) if isinstance(value, str) else ""


def _arguments(call: _PartialCall) -> str:
    """Return all arguments; a provider may have split a surrogate pair between two pieces."""
    return json.well_formed("".join(call.arguments))


def _begins_another(piece: CallPiece, call: _PartialCall) -> bool:
    if piece.id and call.id:
        return piece.id != call.id
    return bool(piece.name and call.arguments) and _is_whole(call)


def _is_whole(call: _PartialCall) -> bool:
    if call.arguments and not call.arguments[-1].rstrip().endswith("}"):
        return False
    try:
        return isinstance(json.decode(_arguments(call).encode() or b"{}"), dict)
    except ValueError:
        return False


def _begun(call: _PartialCall) -> CallBegun:
    call.begun = True
    return CallBegun(call.number, call.id, call.name)
