"""Checks the ids in the bodies of scoped requests that go to an upstream.

1. An opencode finds the ids of a body in any session: the parent of a new session, and the
   messages and parts that a prompt writes. So each id has to be of the path's session, or new.
2. An upstream only says whether a message is in a given session. So an id is new if no session of
   the ledgers has it, and the time in the id is the present: if the sender knows an id of another
   session, and the ledgers have forgotten that id, then it is older.
3. A body has to be one JSON object, since weir has to read it as the upstream does.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from bus import depth
from bus.events.catalogue import MESSAGE, PART
from bus.json import mended
from bus.ledger import Ledger
from gateway.access.boundary import Boundary
from gateway.access.rules import Found, Place
from gateway.door.request import Request
from gateway.door.whole_body import read_ahead
from gateway.proxy.failures import Refusal
from gateway.relay.scope import Scope

_FORM = re.compile(r"(?:msg|prt)_([0-9a-f]{12})[0-9A-Za-z]{14}")
_COUNTED = 4096
_TURN_MS = 2**36
"""An id's time in ms has 36 bits: the ids of opencode begin again every two years."""
_NEW_MS = 600_000
_SHOWN = 100
_SMALL_BYTES = 64 * 1024
_OF_SESSIONS = ("sessionID", "parentID")
_OF_ITEMS = ("id", "messageID", "partID")
_ELSEWHERE = ("workspaceID", "workspace", "directory", "location")


class _Item(Struct):
    id: str


class _Message(Struct):
    info: _Item
    parts: list[_Item] = []


_decode_message = msgspec.json.Decoder(_Message).decode


class BodyIds:
    """Checks bodies.

    Args:
        boundary: knows which sessions are in a scope.
        ledgers: the ledgers of all sources.
        message: requests a message of a session from the upstream; returns its JSON, or None if
            the session has no such message. Its exceptions are passed on to the caller.
        most: the most bytes of a body; all bodies of a worker together may have twice as much.
        bound: the name of this limit.
        clock: returns the time in seconds since the Unix epoch.
    """

    def __init__(
        self,
        boundary: Boundary,
        ledgers: Mapping[str, Ledger],
        message: Callable[[str, str], bytes | None],
        most: int,
        bound: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._boundary = boundary
        self._ledgers = ledgers
        self._message = message
        self._most = most
        self._bound = bound
        self._clock = clock
        self._checked: set[Request] = set()

    def check(self, request: Request, found: Found, scope: Scope) -> None:
        """Read the body of a request, and refuse ids of other sessions.

        Args:
            request: a request that may write.
            found: the rule of the request's route.
            scope: the folders and sessions that the sender may reach.

        Raises:
            Refusal: the body has an id of another session (403), or cannot be read (400, 413).
        """
        if found.rule.place is Place.ITEMS:
            return  # a route of weir itself
        self._checked.add(request)
        body = read_ahead(
            request, self._most, self._bound, lambda: self._check_room(request.body.kept_bytes)
        )
        if body:
            self._check(_read(body), self._boundary.session_in(found), scope)

    def free(self, request: Request) -> None:
        """Count the body of a request no more, since the request has ended."""
        self._checked.discard(request)

    def _check_room(self, size: int) -> None:
        """Refuse a body that is not small if all bodies of the worker have too many bytes."""
        held = sum(one.body.kept_bytes for one in self._checked)
        if size > _SMALL_BYTES and held > 2 * self._most:
            words = "the bodies that this worker checks have too many bytes; try again"
            raise Refusal(503, words, (("Retry-After", "1"),), self._bound)

    def _check(self, body: dict[str, Any], session: str | None, scope: Scope) -> None:
        for name in _ELSEWHERE:
            if body.get(name) is not None:
                raise Refusal(403, f"{name}: a token with grants for some folders may not set it")
        for path, name, value in _ids(body):
            if name in _OF_SESSIONS:
                self._boundary.check_session(value, scope)
            elif session is None or not self._may_write(session, value, body):
                words = f"{value[:_SHOWN]!r} is neither new nor in the session of the path"
                raise Refusal(403, f"{path}{name}: {words}")

    def _may_write(self, session: str, item: str, body: dict[str, Any]) -> bool:
        """Return whether a message or a part is of a session, or new."""
        owner = self._owner(item)
        if owner is not None:
            return owner == session
        if is_new(item, self._clock()):
            return True
        message = body.get("messageID") or item
        found = self._message(session, message) if isinstance(message, str) else None
        if found is None:
            return False
        try:
            known = _decode_message(found)
        except msgspec.MsgspecError as error:
            words = f"the upstream's message cannot be read: {error}"
            raise Refusal(502, words) from error
        return item in (known.info.id, *(one.id for one in known.parts))

    def _owner(self, item: str) -> str | None:
        for ledger in self._ledgers.values():
            for session, known in ledger.sessions.items():
                if (MESSAGE.name, item) in known.entries or (PART.name, item) in known.entries:
                    return session
        return None


def is_new(item: str, now_s: float) -> bool:
    """Return whether the time in an id of opencode is the present, give or take ten minutes."""
    match = _FORM.fullmatch(item)
    if match is None:
        return False
    behind = (int(now_s * 1000) - int(match[1], 16) // _COUNTED) % _TURN_MS
    return min(behind, _TURN_MS - behind) < _NEW_MS


def _read(body: bytes) -> dict[str, Any]:
    try:
        depth.check(body)
        found = _decoded(body)
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise Refusal(400, f"the body is not JSON that weir can check: {error}") from error
    if not isinstance(found, dict):
        raise Refusal(400, "the body is not a JSON object")
    return found


def _decoded(body: bytes) -> Any:
    """Decode JSON; half a surrogate pair (an escape that JavaScript may send) becomes U+FFFD."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return msgspec.json.decode(mended(body))


def _ids(body: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield where each id of a body is, its field and its text."""
    parts = body.get("parts")
    places = [("", body)]
    if isinstance(parts, list):
        places += [(f"parts[{at}].", one) for at, one in enumerate(parts) if isinstance(one, dict)]
    for path, place in places:
        for name in (*_OF_SESSIONS, *_OF_ITEMS):
            value = place.get(name)
            if value is None:
                continue
            if not isinstance(value, str):
                raise Refusal(400, f"{path}{name}: not a text")
            yield path, name, value
