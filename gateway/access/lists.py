"""Filters the lists of an upstream, which may have items outside of a principal's scope.

An item is left out unless it names a folder or a session that is in the scope.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.proxy.failures import Refusal
from gateway.proxy.headers import Header
from gateway.relay.scope import Scope

FolderOf = Callable[[str], str | None]
Asked = Callable[[str, list[Header]], tuple[int, bytes]]
_DIRECTORY = b"x-opencode-directory"


class UpstreamLists:
    """Requests lists from an upstream, and filters them.

    Args:
        ask: sends a ``GET`` for a request target with extra headers; returns the status and the
            body, or raises a `Refusal`.
        folder_of: returns the folder of a session; None if the session does not exist.
    """

    def __init__(self, ask: Asked, folder_of: FolderOf) -> None:
        self._ask = ask
        self._folder_of = folder_of

    def of(self, target: str, headers: list[Header], scope: Scope) -> bytes:
        """Return the upstream's list at `target`, with only the items that are in a scope.

        Raises:
            Refusal: the upstream does not answer with a list.
        """
        named = [header for header in headers if header[0].lower() == _DIRECTORY]
        status, body = self._ask(target, named)
        if status != HTTPStatus.OK:
            words = f"the upstream answers {status} to {target.partition('?')[0]}"
            raise Refusal(status if status < 500 else 502, words)
        try:
            return kept(body, scope, self._folder_of)
        except ValueError as error:
            raise Refusal(502, f"the upstream's list cannot be read: {error}") from error


def kept(body: bytes, scope: Scope, folder_of: FolderOf) -> bytes:
    """Return a JSON list or object without the items that are not in a scope.

    Args:
        body: a JSON list of sessions, permissions or questions; or a JSON object whose keys are
            session ids.
        scope: the folders and sessions that the principal may see.
        folder_of: returns the folder of a session; None if the session does not exist.

    Raises:
        ValueError: the body is neither a JSON list nor a JSON object.
    """
    try:
        found = msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    if isinstance(found, dict):
        inside = {
            name: one for name, one in found.items() if scope.has(folder_of(str(name)), str(name))
        }
        return msgspec.json.encode(inside)
    if not isinstance(found, list):
        raise ValueError("neither a list nor an object")
    return msgspec.json.encode([one for one in found if _is_inside(one, scope, folder_of)])


def _is_inside(item: Any, scope: Scope, folder_of: FolderOf) -> bool:
    if not isinstance(item, dict):
        return False
    session, folder = item.get("sessionID"), item.get("directory")
    if isinstance(session, str):
        return scope.has(folder_of(session), session)
    name = item.get("id")
    is_known = isinstance(folder, str) and isinstance(name, str)
    return is_known and scope.has(folder, name)
